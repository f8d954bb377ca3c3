// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory_links.h"

#include <stdlib.h>
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

static bool get_address6(const json_t *json, const char *key, struct address *ret, struct err *err) {
        const json_t *item = json_object_get(json, key);
        const char *text = json_string_value(item);
        *ret = (struct address){ 0 };
        return !item || (text && address6_parse(text, ret)) || json_field_wrong(err, key, "an IPv6 address");
}

// A route's prefix: the default one is the network's gateway.
static bool parse_route_prefix(const char *text, int max, int *ret) {
        char *end;
        long prefix = strtol(text, &end, 10);
        *ret = (int)prefix;
        return end != text && !*end && prefix >= 1 && prefix <= max;
}

static bool is_route_of_ipv4(const struct inventory_route *route) {
        uint32_t to = ipv4_of_address(&route->to);
        bool has_host_bits = (to & ~mask_of_prefix(route->prefix)) != 0;
        return address_is_host(ipv4_of_address(&route->gateway)) && !has_host_bits;
}

// "10.0.0.0/8 via 192.168.2.1", or of IPv6
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
        int max = 32;
        if (!address_parse_any(to, &ret->to) || !address_parse_any(end + strlen(via), &ret->gateway))
                return false;
        if (ret->to.family == 6)
                max = 128;
        return ret->to.family == ret->gateway.family && parse_route_prefix(prefix, max, &ret->prefix) &&
               (ret->to.family == 6 || is_route_of_ipv4(ret));
}

static bool read_inventory_routes(const json_t *json, struct arena *arena, struct inventory_route **ret,
                                  size_t *ret_count, struct err *err) {
        const json_t *routes;
        if (!json_field_list(json, "routes", &routes, err))
                return false;
        *ret_count = json_array_size(routes);
        *ret = arena_alloc(arena, *ret_count * sizeof **ret);
        for (size_t i = 0; i < *ret_count; i++) {
                const char *text = json_string_value(json_array_get(routes, i));
                if (!text || !parse_inventory_route(text, arena, &(*ret)[i]))
                        return json_field_wrong(err, "routes",
                                                "a list of routes such as \"10.0.0.0/8 via 192.168.2.1\"");
        }
        return true;
}

bool inventory_read_links_of_network(const json_t *json, struct arena *arena, struct inventory_network *network,
                                     struct err *err) {
        const json_t *search;
        if (!get_int(json, "prefix6", 0, 128, &network->prefix6, err) ||
            !get_address6(json, "gateway6", &network->gateway6, err) ||
            !get_int(json, "mtu", MTU_MIN, MTU_MAX, &network->mtu, err) ||
            !get_int(json, "vlan", 1, VLAN_MAX, &network->vlan, err) ||
            !read_inventory_routes(json, arena, &network->routes, &network->route_count, err) ||
            !json_field_list(json, "search", &search, err))
                return false;
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
                           struct inventory_address **ret, size_t *ret_count, struct err *err) {
        const json_t *list;
        if (!json_field_list(json, "addresses", &list, err))
                return false;
        *ret_count = json_array_size(list);
        *ret = arena_alloc(arena, *ret_count * sizeof **ret);
        for (size_t i = 0; i < *ret_count; i++) {
                struct inventory_address *address = &(*ret)[i];
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

static const struct inventory_network *network_called(const struct inventory *inventory, const char *name) {
        for (size_t i = 0; name && i < inventory->network_count; i++)
                if (strcmp(inventory->networks[i].name, name) == 0)
                        return &inventory->networks[i];
        return NULL;
}

// [ {"ip","network"} ]
static bool read_addresses6(const json_t *json, struct arena *arena, const struct inventory *inventory,
                            struct inventory_address6 **ret, size_t *ret_count, struct err *err) {
        const json_t *list;
        if (!json_field_list(json, "addresses6", &list, err))
                return false;
        *ret_count = json_array_size(list);
        *ret = arena_alloc(arena, *ret_count * sizeof **ret);
        for (size_t i = 0; i < *ret_count; i++) {
                const json_t *item = json_array_get(list, i);
                struct inventory_address6 *address = &(*ret)[i];
                if (!get_address6(item, "ip", &address->ip, err))
                        return false;
                address->network = network_called(inventory, json_string_value(json_object_get(item, "network")));
                if (!address->ip.family || !address->network || !address->network->prefix6)
                        return json_field_wrong(err, "addresses6", "IPv6 addresses with the networks that they are in");
        }
        return true;
}

// The key `bond` of a node or of a link. None: no members.
struct bond_read {
        const char *name, *options;
        struct mac *members;
        size_t member_count;
};

static bool read_bond_members(const json_t *bond, struct arena *arena, struct bond_read *ret, struct err *err) {
        const json_t *members = json_object_get(bond, "members");
        const char *options = json_string_value(json_object_get(bond, "options"));
        if (options)
                ret->options = arena_strdup(arena, options);
        if (!get_interface_name(bond, "name", arena, &ret->name, err))
                return false;
        ret->member_count = json_array_size(members);
        ret->members = arena_alloc(arena, ret->member_count * sizeof *ret->members);
        if (!*ret->name || ret->member_count == 0)
                return json_field_wrong(err, "bond", "an object with name and members");
        for (size_t i = 0; i < ret->member_count; i++) {
                const char *text = json_string_value(json_array_get(members, i));
                if (!text || !mac_parse(text, &ret->members[i]))
                        return json_field_wrong(err, "members", "a list of Ethernet addresses");
        }
        return true;
}

static bool read_bond(const json_t *json, struct arena *arena, struct bond_read *ret, struct err *err) {
        const json_t *bond = json_object_get(json, "bond");
        *ret = (struct bond_read){ .name = "", .options = "" };
        if (bond && !json_is_object(bond))
                return json_field_wrong(err, "bond", "an object");
        if (bond && !read_bond_members(bond, arena, ret, err))
                return wrap(err, "bond");
        return true;
}

static bool read_link_network(const json_t *json, const struct inventory *inventory, struct inventory_link *link,
                              struct err *err) {
        const json_t *name = json_object_get(json, "network");
        link->network = network_called(inventory, json_string_value(name));
        if (name && !link->network)
                return json_field_wrong(err, "network", "the name of one of the cluster's networks");
        if (!link->network && link->address_count > 0)
                link->network = link->addresses[0].network;
        return true;
}

static bool read_node_link(const json_t *json, struct arena *arena, const struct inventory *inventory,
                           struct inventory_link *link, struct err *err) {
        const char *mac = json_string_value(json_object_get(json, "mac"));
        struct bond_read bond;
        if (!json_is_object(json))
                return json_field_wrong(err, "links", "a list of objects");
        if (!read_bond(json, arena, &bond, err) || !get_interface_name(json, "interface", arena, &link->interface, err))
                return false;
        link->bond = bond.name;
        link->bond_options = bond.options;
        link->bond_members = bond.members;
        link->bond_member_count = bond.member_count;
        if (bond.member_count > 0)
                link->mac = bond.members[0];
        else if (!mac || !mac_parse(mac, &link->mac))
                return json_field_wrong(err, "mac", "an Ethernet address");
        if (!get_int(json, "mtu", MTU_MIN, MTU_MAX, &link->mtu, err) ||
            !get_int(json, "vlan", 1, VLAN_MAX, &link->vlan, err) || !json_field_bool(json, "dhcp", &link->dhcp, err) ||
            !json_field_bool(json, "default_route", &link->default_route, err))
                return false;
        return read_addresses(json, arena, inventory, &link->addresses, &link->address_count, err) &&
               read_addresses6(json, arena, inventory, &link->addresses6, &link->address6_count, err) &&
               read_inventory_routes(json, arena, &link->routes, &link->route_count, err) &&
               read_link_network(json, inventory, link, err);
}

static bool read_node_links(const json_t *json, struct arena *arena, const struct inventory *inventory,
                            struct inventory_node *node, struct err *err) {
        const json_t *list;
        if (!json_field_list(json, "links", &list, err))
                return false;
        node->link_count = json_array_size(list);
        if (node->link_count > INVENTORY_LINKS_MAX)
                return json_field_wrong(err, "links", "a list of at most 8");
        node->links = arena_alloc(arena, node->link_count * sizeof *node->links);
        for (size_t i = 0; i < node->link_count; i++)
                if (!read_node_link(json_array_get(list, i), arena, inventory, &node->links[i], err))
                        return wrap(err, "links[%zu]", i);
        return true;
}

bool inventory_read_links_of_node(const json_t *json, struct arena *arena, const struct inventory *inventory,
                                  struct inventory_node *node, struct err *err) {
        struct bond_read bond;
        if (!read_addresses(json, arena, inventory, &node->addresses, &node->address_count, err) ||
            !read_addresses6(json, arena, inventory, &node->addresses6, &node->address6_count, err) ||
            !get_interface_name(json, "interface", arena, &node->interface, err) || !read_bond(json, arena, &bond, err))
                return false;
        node->bond = bond.name;
        node->bond_options = bond.options;
        node->bond_members = bond.members;
        node->bond_member_count = bond.member_count;
        if (bond.member_count > 0 && !node->has_mac)
                node->mac = bond.members[0];
        node->has_mac = node->has_mac || bond.member_count > 0;
        return read_node_links(json, arena, inventory, node, err);
}
