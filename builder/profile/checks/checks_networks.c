// SPDX-License-Identifier: MIT
// Checks of networks and of the addresses in them.
#include <arpa/inet.h>
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"

static uint32_t mask_of(const struct network *network) { return ntohl(prefix_mask(network->prefix).s_addr); }
static uint32_t first_of(const struct network *network) { return ntohl(network->address.s_addr); }
static uint32_t last_of(const struct network *network) { return first_of(network) | ~mask_of(network); }

bool network_holds(const struct network *network, struct in_addr address) {
        return (ntohl(address.s_addr) & mask_of(network)) == first_of(network);
}

// /31 (RFC 3021) and /32 have neither a network nor a broadcast address.
static bool is_network_address(const struct network *network, struct in_addr address) {
        return network->prefix < 31 && ntohl(address.s_addr) == first_of(network);
}
static bool is_broadcast_address(const struct network *network, struct in_addr address) {
        return network->prefix < 31 && ntohl(address.s_addr) == last_of(network);
}
static bool in_pool(const struct network *network, struct in_addr address) {
        uint32_t number = ntohl(address.s_addr);
        return network->pool_first.s_addr && number >= ntohl(network->pool_first.s_addr) &&
               number <= ntohl(network->pool_last.s_addr);
}

static void report_address(struct loader *loader, const struct place *place, const char *what, const char *address,
                           const char *problem, const char *network) {
        report(loader->diagnostics, ERR_CLUSTER, place, "%s %s %s `%s`", what, address, problem, network);
}

// ---- networks ----

static void check_pool(struct loader *loader, const struct network *network, const struct place *place) {
        uint32_t first = ntohl(network->pool_first.s_addr), last = ntohl(network->pool_last.s_addr);
        if (first > last)
                report(loader->diagnostics, ERR_CLUSTER, place, "the DHCP pool ends before it begins");
        else if (!network_holds(network, network->pool_first) || !network_holds(network, network->pool_last))
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "the DHCP pool is not inside the subnet of network `%s`", network->name);
        else if (is_network_address(network, network->pool_first) || is_broadcast_address(network, network->pool_last))
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "the DHCP pool holds the network or broadcast address of network `%s`", network->name);
        else if (network->gateway.s_addr && in_pool(network, network->gateway))
                report(loader->diagnostics, ERR_CLUSTER, place, "the DHCP pool holds the gateway of network `%s`",
                       network->name);
}

static void check_host_address(struct loader *loader, const struct network *network, struct in_addr address,
                               const struct place *place, const char *what) {
        const char *text = in_addr_text(loader->arena, address);
        if (is_network_address(network, address))
                report_address(loader, place, what, text, "is the network address of network", network->name);
        else if (is_broadcast_address(network, address))
                report_address(loader, place, what, text, "is the broadcast address of network", network->name);
}

static bool has_subnet(const struct value *row) { return value_get(row, "subnet") != NULL; }

static void check_subnet(struct loader *loader, const struct network *network, const struct value *row) {
        if (network->gateway.s_addr) {
                const struct place *place = schema_place(row, "gateway");
                const char *text = in_addr_text(loader->arena, network->gateway);
                if (!network_holds(network, network->gateway))
                        report_address(loader, place, "gateway", text, "is not inside the subnet of network",
                                       network->name);
                else
                        check_host_address(loader, network, network->gateway, place, "gateway");
        }
        if (network->pool_first.s_addr)
                check_pool(loader, network, schema_place(row, "dhcp"));
}

struct span {
        uint32_t first, last;
        size_t index;
};

static int compare_spans(const void *left, const void *right) {
        const struct span *a = left, *b = right;
        if (a->first != b->first)
                return (a->first > b->first) - (a->first < b->first);
        return (a->index > b->index) - (a->index < b->index);
}

static void check_overlaps(struct loader *loader, const struct cluster_file *file, const struct value *rows) {
        auto_free struct span *spans = xcalloc(file->network_count, sizeof *spans);
        size_t count = 0;
        for (size_t i = 0; i < file->network_count; i++)
                if (has_subnet(rows->items[i]))
                        spans[count++] = (struct span){ first_of(&file->networks[i]), last_of(&file->networks[i]), i };
        if (count > 0)
                qsort(spans, count, sizeof *spans, compare_spans);
        for (size_t i = 1, widest = 0; i < count; i++) {
                if (spans[i].first <= spans[widest].last) {
                        size_t a = spans[widest].index, b = spans[i].index, later = size_max(a, b);
                        report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[later], "subnet"),
                               "the subnets of `%s` and `%s` overlap", file->networks[a].name, file->networks[b].name);
                }
                if (spans[i].last > spans[widest].last)
                        widest = i;
        }
}

// A host's or VIP's address must be a usable one of some network.
const struct network *check_address(struct loader *loader, const struct cluster_file *file, struct in_addr address,
                                    const struct place *place, const char *what) {
        const char *text = in_addr_text(loader->arena, address);
        const struct network *network = NULL;
        for (size_t i = 0; i < file->network_count && !network; i++)
                if (network_holds(&file->networks[i], address))
                        network = &file->networks[i];
        if (!network) {
                report(loader->diagnostics, ERR_CLUSTER, place, "%s %s is in no network's subnet", what, text);
                return NULL;
        }
        check_host_address(loader, network, address, place, what);
        if (address.s_addr == network->gateway.s_addr)
                report_address(loader, place, what, text, "is the gateway of network", network->name);
        if (in_pool(network, address))
                report_address(loader, place, what, text, "is in the DHCP pool of network", network->name);
        return network;
}

static void check_vip_hosts(struct loader *loader, const struct cluster_file *file, const struct vip *vip,
                            const struct place *place) {
        for (size_t i = 0; i < file->node_count; i++)
                if (vip->ip.s_addr == file->nodes[i].node.ip.s_addr)
                        report_address(loader, place, "VIP", in_addr_text(loader->arena, vip->ip),
                                       "is the address of node", file->nodes[i].node.name);
}

void check_networks(struct loader *loader, const struct cluster_file *file) {
        const struct value *networks = value_get(file->tree, "networks"), *nodes = value_get(file->tree, "nodes");
        const struct value *vips = value_get(file->tree, "vips");
        for (size_t i = 0; i < file->network_count; i++)
                if (has_subnet(networks->items[i]))
                        check_subnet(loader, &file->networks[i], networks->items[i]);
        check_overlaps(loader, file, networks);
        for (size_t i = 0; i < file->node_count; i++)
                if (file->nodes[i].node.ip.s_addr)
                        check_address(loader, file, file->nodes[i].node.ip, schema_place(nodes->items[i], "ip"),
                                      "address");
        for (size_t i = 0; i < file->vip_count; i++) {
                const struct place *place = schema_place(vips->items[i], "ip");
                if (!file->vips[i].ip.s_addr)
                        continue;
                check_address(loader, file, file->vips[i].ip, place, "VIP");
                check_vip_hosts(loader, file, &file->vips[i], place);
        }
}
