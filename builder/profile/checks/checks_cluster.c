// SPDX-License-Identifier: MIT
// Checks of addresses and of ensembles: whether the cluster can work as described.
#include <arpa/inet.h>
#include <string.h>

#include "base/mistake.h"
#include "base/progress.h"
#include "profile/internal.h"

static uint32_t mask_of(int prefix) { return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix); }
static uint32_t first_of(const struct network *network) { return ntohl(network->address.s_addr); }
static uint32_t last_of(const struct network *network) { return first_of(network) | ~mask_of(network->prefix); }

bool network_holds(const struct network *network, struct in_addr address) {
        return (ntohl(address.s_addr) & mask_of(network->prefix)) == first_of(network);
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

static void complain(struct loader *loader, const struct place *place, const char *what, const char *address,
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
        const char *text = address_text(loader->arena, address);
        if (is_network_address(network, address))
                complain(loader, place, what, text, "is the network address of network", network->name);
        else if (is_broadcast_address(network, address))
                complain(loader, place, what, text, "is the broadcast address of network", network->name);
}

static bool has_subnet(const struct value *row) { return value_get(row, "subnet") != NULL; }

static void check_network(struct loader *loader, const struct network *network, const struct value *row) {
        if (network->gateway.s_addr) {
                const struct place *place = schema_place(row, "gateway");
                const char *text = address_text(loader->arena, network->gateway);
                if (!network_holds(network, network->gateway))
                        complain(loader, place, "gateway", text, "is not inside the subnet of network", network->name);
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
                return a->first < b->first ? -1 : 1;
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
                        size_t a = spans[widest].index, b = spans[i].index, later = a > b ? a : b;
                        report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[later], "subnet"),
                               "the subnets of `%s` and `%s` overlap", file->networks[a].name, file->networks[b].name);
                }
                widest = spans[i].last > spans[widest].last ? i : widest;
        }
}

// A host's or VIP's address must be a usable one of some network.
const struct network *check_address(struct loader *loader, const struct cluster_file *file, struct in_addr address,
                                    const struct place *place, const char *what) {
        const char *text = address_text(loader->arena, address);
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
                complain(loader, place, what, text, "is the gateway of network", network->name);
        if (in_pool(network, address))
                complain(loader, place, what, text, "is in the DHCP pool of network", network->name);
        return network;
}

static void check_vip_hosts(struct loader *loader, const struct cluster_file *file, const struct vip *vip,
                            const struct place *place) {
        for (size_t i = 0; i < file->node_count; i++)
                if (vip->ip.s_addr == file->nodes[i].node.ip.s_addr)
                        complain(loader, place, "VIP", address_text(loader->arena, vip->ip), "is the address of node",
                                 file->nodes[i].node.name);
}

void check_networks(struct loader *loader, const struct cluster_file *file) {
        const struct value *networks = value_get(file->tree, "networks"), *nodes = value_get(file->tree, "nodes");
        const struct value *vips = value_get(file->tree, "vips");
        for (size_t i = 0; i < file->network_count; i++)
                if (has_subnet(networks->items[i]))
                        check_network(loader, &file->networks[i], networks->items[i]);
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

// ---- ensembles ----

static void check_ids(struct loader *loader, const struct cluster *cluster, const struct role *role,
                      const struct value *rows) {
        auto_free struct once *ids = xcalloc(role->node_count, sizeof *ids);
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &cluster->nodes[role->nodes[i]];
                const struct value *row = rows->items[role->nodes[i]];
                ids[i] = (struct once){ node->id ? arena_printf(loader->arena, "%d", node->id) : "",
                                        schema_place(row, "id") };
                if (role->ensemble && !value_get(row, "id")) {
                        report(loader->diagnostics, ERR_CLUSTER, &row->place,
                               "node `%s` needs an `id`: role `%s` is an ensemble", node->name, role->name);
                        report_hint(loader->diagnostics, "a number from 1 to 255 that this machine keeps for ever");
                }
        }
        check_once(loader, arena_printf(loader->arena, "id in role `%s`:", role->name), ids, role->node_count);
}

static void check_ensemble(struct loader *loader, const struct role *role, const struct value *rows) {
        if (!role->ensemble || role->node_count == 0)
                return;
        const struct value *row = rows->items[role->nodes[role->node_count - 1]];
        const struct place *place = schema_place(row, "role");
        if (role->node_count % 2 == 0) {
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "role `%s` is an ensemble of %zu nodes: the number must be odd, and at least 3", role->name,
                       role->node_count);
                report_hint(loader->diagnostics, "%zu nodes survive the loss of no more nodes than %zu do",
                            role->node_count, role->node_count - 1);
        } else if (role->node_count == 1) {
                warning("%s: role `%s` is an ensemble of one node: nothing works while it is down",
                        place_text(loader->arena, place), role->name);
        }
}

static void check_vip_roles(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        const struct value *rows = value_get(file->tree, "vips");
        for (size_t i = 0; i < file->vip_count; i++) {
                const struct role *role = cluster_find_role(cluster, file->vips[i].role);
                if (role && role->node_count == 0)
                        report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[i], "role"),
                               "no node has role `%s`, so nobody holds the VIP", role->name);
        }
}

// ---- joined roles: what no single file shows ----

static void check_uids(struct loader *loader, const struct role *role) {
        auto_free struct once *uids = xcalloc(role->user_count, sizeof *uids);
        for (size_t i = 0; i < role->user_count; i++) {
                const struct user *user = &role->users[i];
                const char *key = user->uid < 0 ? "" : arena_printf(loader->arena, "%lld", (long long)user->uid);
                uids[i] = (struct once){ key, &user->place };
        }
        check_once(loader, arena_printf(loader->arena, "uid in role `%s`:", role->name), uids, role->user_count);
}

static int compare_files(const void *left, const void *right) {
        const struct file *const *a = left, *const *b = right;
        return strcmp((*a)->path, (*b)->path);
}

// A file cannot lie below another file.
static void check_nesting(struct loader *loader, const struct role *role) {
        auto_free const struct file **sorted = xcalloc(role->file_count, sizeof *sorted);
        for (size_t i = 0; i < role->file_count; i++)
                sorted[i] = &role->files[i];
        if (role->file_count > 0)
                qsort(sorted, role->file_count, sizeof *sorted, compare_files);
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                for (const char *slash = file->path; (slash = strchr(slash + 1, '/'));) {
                        struct file above = { .path = arena_strndup(loader->arena, file->path,
                                                                    (size_t)(slash - file->path)) };
                        const struct file *key = &above, **found = bsearch(&key, sorted, role->file_count,
                                                                           sizeof *sorted, compare_files);
                        if (!found || (*found)->link)
                                continue;
                        report(loader->diagnostics, ERR_SCHEMA, &file->place, "`%s` is below `%s`, which is a file",
                               file->path, above.path);
                        report_hint(loader->diagnostics, "that one is from %s",
                                    place_text(loader->arena, &(*found)->place));
                }
        }
}

// An option can say one thing only.
static void check_dhcp_options(struct loader *loader, const struct cluster_file *file) {
        const struct dhcp_option_names *names = &file->dhcp.options;
        const struct value *map = value_get(file->tree, "dhcp_options");
        if (!map || map->type != VALUE_MAP)
                return;
        struct once options[] = { { names->node ? names->node : "", schema_place(map, "node") },
                                  { names->role ? names->role : "", schema_place(map, "role") },
                                  { names->id ? names->id : "", schema_place(map, "id") } };
        check_once(loader, "DHCP option", options, lengthof(options));
}

void check_cluster(struct loader *loader, const struct cluster_file *file, struct cluster *cluster) {
        const struct value *rows = value_get(file->tree, "nodes");
        for (size_t i = 0; i < cluster->role_count; i++) {
                check_ids(loader, cluster, &cluster->roles[i], rows);
                check_ensemble(loader, &cluster->roles[i], rows);
                check_uids(loader, &cluster->roles[i]);
                check_nesting(loader, &cluster->roles[i]);
        }
        check_vip_roles(loader, file, cluster);
        check_dhcp_options(loader, file);
        bool asked = value_get(file->tree, "nodes") || value_get(file->tree, "roles");
        if (cluster->role_count == 0 && (!asked || loader->diagnostics->mistake_count == 0))
                report(loader->diagnostics, ERR_CLUSTER, &file->place,
                       "neither `nodes` nor `roles`: there is nothing to build");
}
