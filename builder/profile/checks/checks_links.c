// SPDX-License-Identifier: MIT
// Checks of what makes a node's links: routes, MTUs, further addresses, bonds and names of cards.
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/mistake.h"
#include "base/progress.h"
#include "profile/checks/checks.h"
#include "profile/reader/names.h"
#include "shared/bond.h"

enum { MTU_IPV6_MIN = 1280, MEMBERS_MAX = 8 };

// ---- networks ----

struct route {
        struct in_addr to, gateway;
        int prefix;
};

// The table's pattern has let it through; inet_pton(3) may refuse it still, as it does 300.0.0.0.
static bool parse_static_route(const char *text, struct route *ret) {
        char to[INET_ADDRSTRLEN];
        size_t size = strcspn(text, "/");
        const char *via = strstr(text, " via ");
        if (size >= sizeof to || !via)
                return false;
        memcpy(to, text, size);
        to[size] = '\0';
        ret->prefix = atoi(text + size + 1);
        return inet_pton(AF_INET, to, &ret->to) == 1 && inet_pton(AF_INET, via + 5, &ret->gateway) == 1;
}

static void check_route(struct loader *loader, const struct network *network, const char *text,
                        const struct place *place) {
        struct route route;
        if (strchr(text, ':')) {
                check_route6(loader, network, text, place);
                return;
        }
        if (!parse_static_route(text, &route)) {
                report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no route", text);
                return;
        }
        struct network to = { .prefix = route.prefix };
        to.address.s_addr = route.to.s_addr & htonl(UINT32_MAX << (32 - route.prefix));
        if (to.address.s_addr != route.to.s_addr) {
                report(loader->diagnostics, ERR_CLUSTER, place, "the route's subnet has bits set beyond its prefix");
                report_hint(loader->diagnostics, "did you mean `%s/%d`?", in_addr_text(loader->arena, to.address),
                            route.prefix);
        }
        if (network && !network_holds(network, route.gateway))
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "the route's router %s is not inside the subnet of network `%s`",
                       in_addr_text(loader->arena, route.gateway), network->name);
}

void check_route_list(struct loader *loader, const struct network *network, const struct strings *list,
                      const struct value *row) {
        auto_free struct once *routes = xcalloc(list->count, sizeof *routes);
        for (size_t i = 0; i < list->count; i++) {
                const char *text = list->items[i];
                const struct place *place = place_in_row(row, "routes", text);
                check_route(loader, network, text, place);
                routes[i] = (struct once){ arena_strndup(loader->arena, text, strcspn(text, " ")), place };
        }
        check_once(loader, "route to", routes, list->count);
}

static void check_network_links(struct loader *loader, const struct network *network, const struct value *row) {
        check_route_list(loader, network, &network->routes, row);
        if (network->mtu && network->mtu < MTU_IPV6_MIN)
                warning("%s: network `%s` has MTU %d, and IPv6 needs %d",
                        place_text(loader->arena, schema_place(row, "mtu")), network->name, network->mtu, MTU_IPV6_MIN);
}

// ---- further addresses ----

// The networks of a node that have no VLAN, or the same one, are on one link, which has one MTU; what goes to a VLAN
// goes through the card.
static void check_mtus(struct loader *loader, const struct network *one, const struct network *other,
                       const struct place *place) {
        if (one && other && one->vlan == other->vlan && one->mtu != other->mtu)
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "networks `%s` and `%s` are on the same link of this node, but differ in `mtu`", one->name,
                       other->name);
        if (one && other && !one->vlan && other->vlan && one->mtu && one->mtu < other->mtu)
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "the VLAN of network `%s` has MTU %d, and the card that it is on %d, that of network `%s`",
                       other->name, other->mtu, one->mtu, one->name);
}

static const struct network *network_of(const struct cluster_file *file, struct in_addr address) {
        for (size_t i = 0; i < file->network_count; i++)
                if (network_holds(&file->networks[i], address))
                        return &file->networks[i];
        return NULL;
}

static void check_further_addresses(struct loader *loader, const struct cluster_file *file, const struct node *node,
                                    const struct value *row) {
        for (size_t i = 0; i < node->addresses.count; i++) {
                const struct place *place = place_in_row(row, "addresses", node->addresses.items[i]);
                struct in_addr address;
                if (inet_pton(AF_INET, node->addresses.items[i], &address) != 1) {
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no address", node->addresses.items[i]);
                        continue;
                }
                const struct network *network = check_address(loader, file, address, place, "address");
                check_mtus(loader, network_of(file, node->ip), network, place);
        }
}

static void add_addresses(struct once **all, size_t *count, const struct strings *addresses, const struct value *row) {
        for (size_t i = 0; i < addresses->count; i++)
                *array_append(all, count) =
                    (struct once){ addresses->items[i], place_in_row(row, "addresses", addresses->items[i]) };
}

// Numbers are compared: a text for each node and each address would take memory for the product of both.
static void check_address_is_free(struct loader *loader, const struct cluster_file *file, const struct once *once) {
        struct in_addr address;
        if (inet_pton(AF_INET, once->key, &address) != 1)
                return;
        for (size_t i = 0; i < file->node_count; i++)
                if (address.s_addr == file->nodes[i].node.ip.s_addr)
                        report(loader->diagnostics, ERR_CLUSTER, once->place, "address %s is the `ip` of node `%s`",
                               once->key, file->nodes[i].node.name);
        for (size_t i = 0; i < file->vip_count; i++)
                if (address.s_addr == file->vips[i].ip.s_addr)
                        report(loader->diagnostics, ERR_CLUSTER, once->place, "address %s is VIP `%s`", once->key,
                               file->vips[i].name);
}

// A further address is given once, and is no node's `ip` and no VIP. Those are compared with one another by
// checks_names.c.
static void check_addresses_once(struct loader *loader, const struct cluster_file *file, const struct value *rows) {
        struct once *all = NULL;
        size_t count = 0;
        for (size_t i = 0; i < file->node_count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *links = value_get(rows->items[i], "links");
                add_addresses(&all, &count, &node->addresses, rows->items[i]);
                for (size_t j = 0; j < node->link_count; j++) {
                        const struct node_link *link = &node->links[j];
                        if (link->ip.s_addr)
                                *array_append(&all, &count) = (struct once){ in_addr_text(loader->arena, link->ip),
                                                                             schema_place(links->items[j], "ip") };
                        add_addresses(&all, &count, &link->addresses, links->items[j]);
                }
        }
        for (size_t i = 0; i < count; i++)
                check_address_is_free(loader, file, &all[i]);
        check_once(loader, "IP address", all, count);
        free(all);
}

// ---- bonds ----

static void check_bond_option(struct loader *loader, const char *name, const struct place *name_place,
                              const struct value *value) {
        struct bond_option option;
        if (!bond_option_is_known(name) || strcmp(name, "mode") == 0) {
                struct nearest nearest = { .wanted = name };
                for (size_t i = 0; bond_option_name(i); i++)
                        nearest_offer(&nearest, bond_option_name(i));
                report(loader->diagnostics, ERR_SCHEMA, name_place, "the bonding driver has no other option `%s`",
                       name);
                report_nearest(loader->diagnostics, nearest.best);
                return;
        }
        snprintf(option.name, sizeof option.name, "%s", name);
        snprintf(option.value, sizeof option.value, "%s", value->text);
        for (char *comma = strchr(option.value, ','); comma; comma = strchr(comma, ','))
                *comma = ';'; // between the targets, as struct bond_option has them
        if (strlen(value->text) >= sizeof option.value || !bond_option_value(&option))
                report(loader->diagnostics, ERR_SCHEMA, &value->place,
                       "option `%s` of the bonding driver cannot be `%s`", name, value->text);
}

void check_bond(struct loader *loader, const struct bond *bond, const struct value *written) {
        const struct value *options = bond->options;
        if (written->type != VALUE_MAP)
                return;
        if (!bond->mode)
                report(loader->diagnostics, ERR_SCHEMA, &written->place,
                       "`bond` needs `mode`, how the cards share the work");
        if (bond->members.count == 0 || bond->members.count > MEMBERS_MAX)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(written, "members"),
                       "`bond` needs `members`, a list of 1 to %d MAC addresses", MEMBERS_MAX);
        for (size_t i = 0; options && i < options->count; i++)
                check_bond_option(loader, options->keys[i], &options->key_places[i], options->items[i]);
}

static void check_bond_of_node(struct loader *loader, const struct node *node, const struct value *row) {
        const struct bond *bond = &node->bond;
        const struct value *written = value_get(row, "bond");
        bool has_own = !node->has_mac;
        if (!written || written->type != VALUE_MAP)
                return;
        for (size_t i = 0; i < bond->members.count; i++) {
                unsigned char mac[6];
                if (mac_read(bond->members.items[i], mac) && memcmp(mac, node->mac, sizeof mac) == 0)
                        has_own = true;
        }
        if (!has_own && bond->members.count > 0)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "mac"),
                       "the node's `mac` is none of its bond's `members`");
        check_bond(loader, bond, written);
}

static const char *mac_text_key(struct arena *arena, const char *text) {
        char *copy = arena_strdup(arena, text);
        for (char *at = copy; *at; at++) {
                *at = (char)tolower((unsigned char)*at);
                if (*at == '-')
                        *at = ':';
        }
        return copy;
}

struct all_macs {
        struct once *items; // heap array
        size_t count;
};

static void add_member_macs(struct loader *loader, struct all_macs *all, const struct bond *bond,
                            const struct value *written) {
        for (size_t i = 0; i < bond->members.count; i++)
                *array_append(&all->items, &all->count) =
                    (struct once){ mac_text_key(loader->arena, bond->members.items[i]),
                                   place_in_row(written, "members", bond->members.items[i]) };
}

static void add_own_mac(struct loader *loader, struct all_macs *all, bool has_mac, const struct bond *bond,
                        const struct value *mac) {
        if (has_mac && bond->members.count == 0)
                *array_append(&all->items, &all->count) =
                    (struct once){ mac_text_key(loader->arena, mac->text), &mac->place };
}

// A card is a member of one bond, or of one link, and its MAC is no other node's.
static void check_all_macs(struct loader *loader, const struct cluster_file *file, const struct value *rows) {
        struct all_macs all = { 0 };
        for (size_t i = 0; i < file->node_count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *row = rows->items[i], *links = value_get(row, "links");
                add_member_macs(loader, &all, &node->bond, value_get(row, "bond"));
                add_own_mac(loader, &all, node->has_mac, &node->bond, value_get(row, "mac"));
                for (size_t j = 0; j < node->link_count; j++) {
                        const struct node_link *link = &node->links[j];
                        const struct value *link_row = links->items[j];
                        add_member_macs(loader, &all, &link->bond, value_get(link_row, "bond"));
                        add_own_mac(loader, &all, link->has_mac, &link->bond, value_get(link_row, "mac"));
                }
        }
        check_once(loader, "MAC address", all.items, all.count);
        free(all.items);
}

static bool has_further_cards(const struct cluster_file *file) {
        for (size_t i = 0; i < file->node_count; i++)
                if (file->nodes[i].node.bond.members.count > 0 || file->nodes[i].node.link_count > 0)
                        return true;
        return false;
}

static void check_interface_name(struct loader *loader, const struct node *node, const struct value *row) {
        const struct place *place = schema_place(row, "interface");
        if (!node->interface || !*node->interface)
                return;
        if (!node->has_mac)
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "`interface` names the card that has the node's `mac`, "
                       "and the node has none");
        if (strcmp(node->interface, "lo") == 0 ||
            (node->bond.members.count > 0 && strcmp(node->interface, node->bond.name) == 0))
                report(loader->diagnostics, ERR_CLUSTER, place, "`%s` is the name of another interface",
                       node->interface);
}

void check_links(struct loader *loader, const struct cluster_file *file) {
        const struct value *networks = value_get(file->tree, "networks"), *nodes = value_get(file->tree, "nodes");
        for (size_t i = 0; i < file->network_count; i++)
                if (value_get(networks->items[i], "subnet"))
                        check_network_links(loader, &file->networks[i], networks->items[i]);
        for (size_t i = 0; i < file->node_count; i++) {
                const struct node *node = &file->nodes[i].node;
                check_further_addresses(loader, file, node, nodes->items[i]);
                check_bond_of_node(loader, node, nodes->items[i]);
                check_node_links(loader, file, node, nodes->items[i]);
                check_interface_name(loader, node, nodes->items[i]);
        }
        check_addresses_once(loader, file, nodes);
        if (has_further_cards(file)) // without, MACs were compared
                check_all_macs(loader, file, nodes);
}
