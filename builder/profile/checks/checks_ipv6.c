// SPDX-License-Identifier: MIT
// Checks of what an inventory says of IPv6: subnets, routers, routes, addresses.
#include <arpa/inet.h>
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"

const struct network *network_of_ipv6(const struct network *networks, size_t count, const char *text) {
        struct in6_addr address, subnet;
        int prefix;
        if (inet_pton(AF_INET6, text, &address) != 1)
                return NULL;
        for (size_t i = 0; i < count; i++)
                if (networks[i].subnet6 && ipv6_subnet_read(networks[i].subnet6, &subnet, &prefix) &&
                    ipv6_in_subnet(&address, &subnet, prefix))
                        return &networks[i];
        return NULL;
}

static bool has_host_bits(const struct in6_addr *address, int prefix) {
        for (int i = prefix; i < 128; i++)
                if (address->s6_addr[i / 8] & 0x80 >> i % 8)
                        return true;
        return false;
}

// Whether the router is on the network's link.
static bool is_on_network(const struct network *network, const struct in6_addr *router) {
        struct in6_addr subnet;
        int prefix;
        if (ipv6_is_link_local(router))
                return true;
        return network->subnet6 && ipv6_subnet_read(network->subnet6, &subnet, &prefix) &&
               ipv6_in_subnet(router, &subnet, prefix);
}

void check_route6(struct loader *loader, const struct network *network, const char *text, const struct place *place) {
        struct in6_addr to, router;
        int prefix;
        const char *via = strstr(text, " via ");
        if (!via || !ipv6_subnet_read(text, &to, &prefix) || inet_pton(AF_INET6, via + 5, &router) != 1)
                report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no route", text);
        else if (has_host_bits(&to, prefix))
                report(loader->diagnostics, ERR_CLUSTER, place, "the route's subnet has bits set beyond its prefix");
        else if (network && !is_on_network(network, &router))
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "the route's router %s is not inside the subnet6 of network `%s`", via + 5, network->name);
}

static void check_network6(struct loader *loader, const struct network *network, const struct value *row) {
        struct in6_addr subnet, router;
        int prefix;
        if (network->subnet6 && *network->subnet6) {
                const struct place *place = schema_place(row, "subnet6");
                if (!ipv6_subnet_read(network->subnet6, &subnet, &prefix))
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no IPv6 subnet", network->subnet6);
                else if (has_host_bits(&subnet, prefix))
                        report(loader->diagnostics, ERR_SCHEMA, place, "`subnet6` has bits set beyond its prefix: %s",
                               network->subnet6);
        }
        if (!network->gateway6 || !*network->gateway6)
                return;
        const struct place *place = schema_place(row, "gateway6");
        if (inet_pton(AF_INET6, network->gateway6, &router) != 1)
                report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no IPv6 address", network->gateway6);
        else if (!network->subnet6)
                report(loader->diagnostics, ERR_CLUSTER, place, "network `%s` has a `gateway6` and no `subnet6`",
                       network->name);
        else if (!is_on_network(network, &router))
                report(loader->diagnostics, ERR_CLUSTER, place, "gateway6 %s is not inside the subnet6 of network `%s`",
                       network->gateway6, network->name);
}

static void check_overlaps6(struct loader *loader, const struct cluster_file *file, const struct value *rows) {
        struct in6_addr one, other;
        int one_prefix, other_prefix;
        for (size_t i = 0; i < file->network_count; i++) {
                const struct network *network = &file->networks[i];
                if (!network->subnet6 || !ipv6_subnet_read(network->subnet6, &one, &one_prefix))
                        continue;
                for (size_t j = 0; j < i; j++) {
                        const struct network *earlier = &file->networks[j];
                        if (!earlier->subnet6 || !ipv6_subnet_read(earlier->subnet6, &other, &other_prefix))
                                continue;
                        int shorter = one_prefix;
                        if (other_prefix < shorter)
                                shorter = other_prefix;
                        if (ipv6_in_subnet(&one, &other, shorter))
                                report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[i], "subnet6"),
                                       "the subnets of `%s` and `%s` overlap", earlier->name, network->name);
                }
        }
}

// A router of IPv6 is reached from an address of IPv6.
static void check_route_of_link6(struct loader *loader, const struct node_link *link, const struct value *row) {
        for (size_t i = 0; i < link->routes.count && link->ip6.count == 0; i++)
                if (strchr(link->routes.items[i], ':'))
                        report(loader->diagnostics, ERR_CLUSTER, place_in_row(row, "routes", link->routes.items[i]),
                               "a route of IPv6, and the link has no `ip6`");
}

struct all_ipv6 {
        struct once *items; // heap array
        size_t count;
};

static void check_ipv6_list(struct loader *loader, const struct cluster_file *file, const struct strings *list,
                            const struct value *row, struct all_ipv6 *all) {
        for (size_t i = 0; i < list->count; i++) {
                const char *text = ipv6_text(loader->arena, list->items[i]);
                const struct place *place = place_in_row(row, "ip6", list->items[i]);
                const struct network *network = network_of_ipv6(file->networks, file->network_count, text);
                if (!*text)
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no IPv6 address", list->items[i]);
                else if (!network)
                        report(loader->diagnostics, ERR_CLUSTER, place, "address %s is in no network's subnet6", text);
                else if (network->gateway6 && strcmp(ipv6_text(loader->arena, network->gateway6), text) == 0)
                        report(loader->diagnostics, ERR_CLUSTER, place, "address %s is the gateway6 of network `%s`",
                               text, network->name);
                *array_append(&all->items, &all->count) = (struct once){ text, place };
        }
}

void check_ipv6(struct loader *loader, const struct cluster_file *file) {
        const struct value *networks = value_get(file->tree, "networks"), *nodes = value_get(file->tree, "nodes");
        struct all_ipv6 all = { 0 };
        check_overlaps6(loader, file, networks);
        for (size_t i = 0; i < file->network_count; i++)
                check_network6(loader, &file->networks[i], networks->items[i]);
        for (size_t i = 0; i < file->node_count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *links = value_get(nodes->items[i], "links");
                check_ipv6_list(loader, file, &node->ip6, nodes->items[i], &all);
                for (size_t j = 0; j < node->link_count; j++) {
                        check_ipv6_list(loader, file, &node->links[j].ip6, links->items[j], &all);
                        check_route_of_link6(loader, &node->links[j], links->items[j]);
                }
        }
        check_once(loader, "IP address", all.items, all.count);
        free(all.items);
}
