// SPDX-License-Identifier: MIT
// Checks of a node's further links: whose cards they are, what they are called, where their addresses and routes lead.
#include <arpa/inet.h>
#include <string.h>

#include "base/mistake.h"
#include "profile/checks/checks.h"
#include "profile/reader/names.h"

enum { LINKS_MAX = 8 };

static const struct network *find_network_of_link(const struct cluster_file *file, const char *name) {
        for (size_t i = 0; i < file->network_count; i++)
                if (strcmp(file->networks[i].name, name) == 0)
                        return &file->networks[i];
        return NULL;
}

static void report_unknown_network(struct loader *loader, const struct cluster_file *file, const char *name,
                                   const struct place *place) {
        struct nearest nearest = { .wanted = name };
        for (size_t i = 0; i < file->network_count; i++)
                nearest_offer(&nearest, file->networks[i].name);
        report(loader->diagnostics, ERR_REFERENCE, place, "unknown network `%s`", name);
        report_nearest(loader->diagnostics, nearest.best);
}

// The network that the link is in, after reports of what does not fit it; NULL: none is known.
static const struct network *check_network_of_link(struct loader *loader, const struct cluster_file *file,
                                                   const struct node_link *link, const struct value *row) {
        const struct network *named = NULL, *holds = NULL;
        if (link->network_name && *link->network_name) {
                named = find_network_of_link(file, link->network_name);
                if (!named)
                        report_unknown_network(loader, file, link->network_name, schema_place(row, "network"));
        }
        if (link->ip.s_addr)
                holds = check_address(loader, file, link->ip, schema_place(row, "ip"), "address");
        if (named && holds && named != holds)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "ip"),
                       "address %s is not inside the subnet of network `%s`, which the link names",
                       in_addr_text(loader->arena, link->ip), named->name);
        if (holds)
                return holds;
        return named;
}

static void check_cards_of_link(struct loader *loader, const struct node_link *link, const struct value *row) {
        const struct value *bond = value_get(row, "bond");
        if (bond && value_get(row, "mac"))
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "mac"),
                       "a link has `mac`, or `bond`, whose `members` are its cards");
        if (!bond && !value_get(row, "mac"))
                report(loader->diagnostics, ERR_SCHEMA, &row->place, "a link needs `mac`, or `bond`");
        if (bond && link->name)
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "name"),
                       "the link is a bond, and `bond` has its `name`");
        if (bond)
                check_bond(loader, &link->bond, bond);
}

static void check_source_of_address(struct loader *loader, const struct node_link *link, const struct value *row) {
        bool has_ip = value_get(row, "ip") != NULL;
        if (has_ip && link->dhcp)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "dhcp"),
                       "a link has an `ip`, or asks for one by `dhcp`");
        if (!has_ip && !link->dhcp)
                report(loader->diagnostics, ERR_SCHEMA, &row->place, "a link needs `ip`, or `dhcp: true`");
}

static void check_further_of_link(struct loader *loader, const struct cluster_file *file, const struct node_link *link,
                                  const struct value *row) {
        for (size_t i = 0; i < link->addresses.count; i++) {
                const struct place *place = place_in_row(row, "addresses", link->addresses.items[i]);
                struct in_addr address;
                if (inet_pton(AF_INET, link->addresses.items[i], &address) == 1)
                        check_address(loader, file, address, place, "address");
                else
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no address", link->addresses.items[i]);
        }
}

static void check_node_link(struct loader *loader, const struct cluster_file *file, const struct node_link *link,
                            const struct value *row) {
        check_cards_of_link(loader, link, row);
        check_source_of_address(loader, link, row);
        const struct network *network = check_network_of_link(loader, file, link, row);
        check_route_list(loader, network, &link->routes, row);
        check_further_of_link(loader, file, link, row);
        if (!network)
                return;
        bool is_on_two_vlans = link->vlan && network->vlan && link->vlan != network->vlan;
        bool lacks_gateway = link->default_route && !link->dhcp && !network->gateway.s_addr;
        if (is_on_two_vlans)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "vlan"),
                       "the link is on VLAN %d, and its network `%s` on VLAN %d", link->vlan, network->name,
                       network->vlan);
        if (lacks_gateway)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "default_route"),
                       "network `%s` has no `gateway` for a default route", network->name);
}

// ---- the links of a node together ----

static void check_default_links(struct loader *loader, const struct node *node, const struct value *rows) {
        const struct place *first = NULL;
        for (size_t i = 0; i < node->link_count; i++) {
                if (!node->links[i].default_route)
                        continue;
                const struct place *place = schema_place(rows->items[i], "default_route");
                if (first) {
                        report(loader->diagnostics, ERR_CLUSTER, place,
                               "node `%s` has one default route, and two links with `default_route`", node->name);
                        report_hint(loader->diagnostics, "the other one is at %s", place_text(loader->arena, first));
                }
                first = place;
        }
}

static const struct place *bond_name_place(const struct value *row) {
        return schema_place(value_get(row, "bond"), "name");
}

static void check_names_of_links(struct loader *loader, const struct node *node, const struct value *row) {
        const struct value *rows = value_get(row, "links");
        auto_free struct once *names = xcalloc(node->link_count + 3, sizeof *names);
        size_t count = 0;
        names[count++] = (struct once){ "lo", &row->place };
        if (node->interface)
                names[count++] = (struct once){ node->interface, schema_place(row, "interface") };
        if (node->bond.members.count > 0)
                names[count++] = (struct once){ node->bond.name, bond_name_place(row) };
        for (size_t i = 0; i < node->link_count; i++) {
                const struct node_link *link = &node->links[i];
                const struct value *link_row = rows->items[i];
                if (link->bond.members.count > 0)
                        names[count++] = (struct once){ link->bond.name, bond_name_place(link_row) };
                else
                        names[count++] = (struct once){ text_or(link->name, ""), schema_place(link_row, "name") };
        }
        check_once(loader, "name of an interface", names, count);
}

void check_node_links(struct loader *loader, const struct cluster_file *file, const struct node *node,
                      const struct value *row) {
        const struct value *rows = value_get(row, "links");
        if (node->link_count == 0)
                return;
        if (!node->has_mac && node->bond.members.count == 0)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "links"),
                       "node `%s` has `links`, and no `mac`: nothing says which card has its `ip`", node->name);
        if (node->link_count > LINKS_MAX)
                report(loader->diagnostics, ERR_CLUSTER, schema_place(row, "links"), "a node has at most %d `links`",
                       LINKS_MAX);
        for (size_t i = 0; i < node->link_count; i++)
                check_node_link(loader, file, &node->links[i], rows->items[i]);
        check_default_links(loader, node, rows);
        check_names_of_links(loader, node, row);
}
