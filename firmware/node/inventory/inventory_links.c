// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory_links.h"

#include <string.h>

#include "firmware/node/facts/json_field.h"
#include "firmware/node/inventory/inventory_find.h"

enum { MTU_MIN = 68, MTU_MAX = 65535, VLAN_MAX = 4094 };

// 0 if it is absent.
static bool get_int(const json_t *json, const char *key, int min, int max, int *ret, struct err *err) {
        json_int_t number = 0;
        if (!json_field_number(json, key, min, max, &number, err))
                return false;
        *ret = (int)number;
        return true;
}

// "10.0.0.0/8 via 192.168.2.1"
static bool parse_inventory_route(const char *text, struct arena *arena, struct inventory_route *ret) {
        static const char via[] = " via ";
        const char *slash = strchr(text, '/');
        if (!slash)
                return false;
        const char *end = strstr(slash, via);
        if (!end)
                return false;
        const char *to = arena_strndup(arena, text, (size_t)(slash - text));
        const char *prefix = arena_strndup(arena, slash + 1, (size_t)(end - slash - 1));
        if (!address_parse(to, &ret->to) || !prefix_parse(prefix, &ret->prefix) ||
            !address_parse(end + strlen(via), &ret->gateway))
                return false;
        bool has_host_bits = (ret->to & ~mask_of_prefix(ret->prefix)) != 0;
        return address_is_host(ret->gateway) && !has_host_bits;
}

bool inventory_read_links_of_network(const json_t *json, struct arena *arena, struct inventory_network *network,
                                     struct err *err) {
        const json_t *routes, *search;
        if (!get_int(json, "mtu", MTU_MIN, MTU_MAX, &network->mtu, err) ||
            !get_int(json, "vlan", 1, VLAN_MAX, &network->vlan, err) ||
            !json_field_list(json, "routes", &routes, err) || !json_field_list(json, "search", &search, err))
                return false;
        network->route_count = json_array_size(routes);
        network->routes = arena_alloc(arena, network->route_count * sizeof *network->routes);
        for (size_t i = 0; i < network->route_count; i++) {
                const char *text = json_string_value(json_array_get(routes, i));
                if (!text || !parse_inventory_route(text, arena, &network->routes[i]))
                        return json_field_wrong(err, "routes",
                                                "a list of routes such as \"10.0.0.0/8 via 192.168.2.1\"");
        }
        network->search_count = json_array_size(search);
        network->search = arena_alloc(arena, network->search_count * sizeof *network->search);
        for (size_t i = 0; i < network->search_count; i++) {
                const char *domain = json_string_value(json_array_get(search, i));
                if (!domain || !hostname_is_valid(domain))
                        return json_field_wrong(err, "search", "a list of domains");
                network->search[i] = arena_strdup(arena, domain);
        }
        return true;
}

// ---- nodes ----

static bool read_addresses(const json_t *json, struct arena *arena, const struct inventory *inventory,
                           struct inventory_node *node, struct err *err) {
        const json_t *list;
        if (!json_field_list(json, "addresses", &list, err))
                return false;
        node->address_count = json_array_size(list);
        node->addresses = arena_alloc(arena, node->address_count * sizeof *node->addresses);
        for (size_t i = 0; i < node->address_count; i++) {
                struct inventory_address *address = &node->addresses[i];
                const char *text = json_string_value(json_array_get(list, i));
                if (!text || !address_parse(text, &address->ip))
                        return json_field_wrong(err, "addresses", "a list of IPv4 addresses");
                address->network = inventory_network_of(inventory, address->ip);
                if (!address->network)
                        return json_field_wrong(err, "addresses", "inside the cluster's networks");
        }
        return true;
}

static bool get_interface_name(const json_t *json, const char *key, struct arena *arena, const char **ret,
                               struct err *err) {
        const json_t *item = json_object_get(json, key);
        *ret = "";
        if (!item)
                return true;
        const char *text = json_string_value(item);
        if (!text || (*text && !interface_name_is_valid(text)))
                return json_field_wrong(err, key, "the name of an interface");
        *ret = arena_strdup(arena, text);
        return true;
}

static bool read_bond(const json_t *bond, struct arena *arena, struct inventory_node *node, struct err *err) {
        const json_t *members = json_object_get(bond, "members");
        const char *options = json_string_value(json_object_get(bond, "options"));
        if (options)
                node->bond_options = arena_strdup(arena, options);
        if (!get_interface_name(bond, "name", arena, &node->bond, err))
                return false;
        node->bond_member_count = json_array_size(members);
        node->bond_members = arena_alloc(arena, node->bond_member_count * sizeof *node->bond_members);
        if (!*node->bond || node->bond_member_count == 0)
                return json_field_wrong(err, "bond", "an object with name and members");
        for (size_t i = 0; i < node->bond_member_count; i++) {
                const char *text = json_string_value(json_array_get(members, i));
                if (!text || !mac_parse(text, &node->bond_members[i]))
                        return json_field_wrong(err, "members", "a list of Ethernet addresses");
        }
        if (!node->has_mac)
                node->mac = node->bond_members[0];
        node->has_mac = true;
        return true;
}

bool inventory_read_links_of_node(const json_t *json, struct arena *arena, const struct inventory *inventory,
                                  struct inventory_node *node, struct err *err) {
        const json_t *bond = json_object_get(json, "bond");
        node->bond = node->bond_options = "";
        if (!read_addresses(json, arena, inventory, node, err) ||
            !get_interface_name(json, "interface", arena, &node->interface, err))
                return false;
        if (bond && !json_is_object(bond))
                return json_field_wrong(err, "bond", "an object");
        if (bond && !read_bond(bond, arena, node, err))
                return wrap(err, "bond");
        return true;
}
