// SPDX-License-Identifier: MIT
// What templates see.
#include <assert.h>
#include <string.h>

#include "profile/internal.h"
#include "profile/reader/names.h"

static void set_text_of(struct arena *arena, struct value *map, const char *key, const char *text) {
        value_set(arena, map, key, value_scalar(arena, text_or(text, "")));
}

static void set_number_of(struct arena *arena, struct value *map, const char *key, long number) {
        value_set(arena, map, key, value_scalar(arena, arena_printf(arena, "%ld", number)));
}

// Of a subnet or a netmask, which 0 is a value of, too.
static const char *any_in_addr_text(struct arena *arena, struct in_addr address) {
        if (address.s_addr == 0)
                return "0.0.0.0";
        return in_addr_text(arena, address);
}

static struct value *texts_value(struct arena *arena, const struct strings *texts) {
        struct value *list = value_list(arena);
        for (size_t i = 0; i < texts->count; i++)
                value_append(arena, list, value_scalar(arena, texts->items[i]));
        return list;
}

static void set_network_of(struct arena *arena, struct value *map, const struct network *network) {
        set_number_of(arena, map, "prefix", network->prefix);
        set_text_of(arena, map, "netmask", any_in_addr_text(arena, prefix_mask(network->prefix)));
        set_text_of(arena, map, "gateway", in_addr_text(arena, network->gateway));
}

static void set_network6_of(struct arena *arena, struct value *map, const struct network *network) {
        set_text_of(arena, map, "prefix6", "");
        if (network && network->prefix6 > 0)
                set_number_of(arena, map, "prefix6", network->prefix6);
        set_text_of(arena, map, "gateway6", "");
        if (network && network->gateway6)
                set_text_of(arena, map, "gateway6", ipv6_text(arena, network->gateway6));
}

// A stranger's is any one; a cluster without nodes need not have a network.
static const struct network *network_of_node(const struct cluster *cluster, const struct node *node) {
        static const struct network none = { .name = "" };
        if (node->network < cluster->network_count)
                return &cluster->networks[node->network];
        return &none;
}

static struct value *node_value(struct arena *arena, const struct cluster *cluster, const struct node *node) {
        struct value *map = value_map(arena);
        set_text_of(arena, map, "name", node->name);
        set_text_of(arena, map, "role", cluster->roles[node->role].name);
        set_text_of(arena, map, "ip", in_addr_text(arena, node->ip));
        set_text_of(arena, map, "mac", "");
        if (node->has_mac)
                set_text_of(arena, map, "mac", mac_text(arena, node->mac));
        set_text_of(arena, map, "id", "");
        if (node->id > 0)
                set_number_of(arena, map, "id", node->id);
        set_number_of(arena, map, "index", (long)node->index);
        set_network_of(arena, map, network_of_node(cluster, node));
        const char *ip6 = "";
        if (node->ip6.count > 0)
                ip6 = ipv6_text(arena, node->ip6.items[0]);
        set_text_of(arena, map, "ip6", ip6);
        set_network6_of(arena, map, network_of_ipv6(cluster->networks, cluster->network_count, ip6));
        value_set(arena, map, "variables", (struct value *)node->variables);
        return map;
}

// What kiln-node measures on the node; here some machine's.
static struct value *machine_value(struct arena *arena) {
        struct value *machine = value_map(arena);
        set_number_of(arena, machine, "memory_mb", 4096);
        set_number_of(arena, machine, "cpus", 4);
        set_number_of(arena, machine, "task_memory_mb", 3072);
        set_number_of(arena, machine, "task_cpus", 4);
        return machine;
}

struct value *node_scope(struct arena *arena, const struct cluster *cluster, const struct node *node) {
        const struct network *network = network_of_node(cluster, node);
        struct value *map = node_value(arena, cluster, node), *scope = value_map(arena), *secrets = value_map(arena);
        set_text_of(arena, map, "hostname", node->name);
        set_text_of(arena, map, "interface", "eth0");
        set_text_of(arena, map, "network", network->name);
        value_set(arena, map, "dns", texts_value(arena, &network->dns));
        value_set(arena, map, "machine", machine_value(arena));
        value_set(arena, map, "others", value_map(arena)); // others_value() is put there where it is asked for
        value_set(arena, scope, "node", map);
        for (size_t i = 0; i < cluster->secrets.count; i++)
                set_text_of(arena, secrets, cluster->secrets.items[i], "secret");
        value_set(arena, scope, "secrets", secrets);
        return scope;
}

// Numbers that only the inventory gives are null there.
struct value *stranger_scope(struct arena *arena, const struct cluster *cluster, const struct role *role) {
        struct node stranger = { .name = "stranger",
                                 .role = (size_t)(role - cluster->roles),
                                 .has_mac = true,
                                 .variables = role->variables };
        if (cluster->network_count > 0)
                stranger.ip = cluster->networks[0].pool_first;
        struct value *scope = node_scope(arena, cluster, &stranger);
        struct value *node = (struct value *)value_get(scope, "node");
        value_set(arena, node, "index", arena_alloc(arena, sizeof(struct value)));
        value_set(arena, node, "id", arena_alloc(arena, sizeof(struct value)));
        return scope;
}

static struct value *networks_value(struct arena *arena, const struct cluster *cluster) {
        struct value *networks = value_map(arena);
        for (size_t i = 0; i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                struct value *map = value_map(arena);
                const char *address = any_in_addr_text(arena, network->address);
                set_text_of(arena, map, "name", network->name);
                set_text_of(arena, map, "subnet", arena_printf(arena, "%s/%d", address, network->prefix));
                set_text_of(arena, map, "address", address);
                set_network_of(arena, map, network);
                set_text_of(arena, map, "subnet6", network->subnet6);
                set_network6_of(arena, map, network);
                value_set(arena, map, "dns", texts_value(arena, &network->dns));
                value_set(arena, networks, network->name, map);
        }
        return networks;
}

static struct value *vips_value(struct arena *arena, const struct cluster *cluster) {
        struct value *vips = value_map(arena);
        for (size_t i = 0; i < cluster->vip_count; i++) {
                const struct vip *vip = &cluster->vips[i];
                struct value *map = value_map(arena);
                set_text_of(arena, map, "name", vip->name);
                set_text_of(arena, map, "ip", in_addr_text(arena, vip->ip));
                set_number_of(arena, map, "vrrp_id", vip->vrrp_id);
                set_number_of(arena, map, "prefix", cluster->networks[vip->network].prefix);
                set_text_of(arena, map, "role", vip->role);
                value_set(arena, vips, vip->name, map);
        }
        return vips;
}

static struct value *role_value(struct arena *arena, const struct cluster *cluster, const char *name,
                                const struct value *nodes) {
        struct value *map = value_map(arena), *members = value_list(arena);
        size_t count;
        auto_free size_t *indices = cluster_members(cluster, name, &count);
        for (size_t i = 0; i < count; i++)
                value_append(arena, members, nodes->items[indices[i]]);
        value_set(arena, map, "nodes", members);
        set_number_of(arena, map, "count", (long)count);
        set_number_of(arena, map, "quorum", (long)count / 2 + 1);
        return map;
}

// The roles of the cluster, and those that they inherit: what an overlay says of its own role holds in others, too.
static struct value *roles_value(struct arena *arena, const struct cluster *cluster, const struct value *nodes) {
        struct value *roles = value_map(arena);
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                value_set(arena, roles, role->name, role_value(arena, cluster, role->name, nodes));
        }
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct strings *ancestors = &cluster->roles[i].ancestors;
                for (size_t j = 0; j < ancestors->count; j++)
                        if (!value_get(roles, ancestors->items[j]))
                                value_set(arena, roles, ancestors->items[j],
                                          role_value(arena, cluster, ancestors->items[j], nodes));
        }
        return roles;
}

struct value *others_value(struct arena *arena, const struct cluster *cluster, const struct node *self) {
        assert(cluster->scope); // scope_prepare() has made it
        struct value *others = value_map(arena);
        const struct value *roles = value_get(cluster->scope, "roles");
        for (size_t i = 0; i < roles->count; i++) {
                const struct value *nodes = value_get(roles->items[i], "nodes");
                struct value *list = value_list(arena);
                for (size_t j = 0; j < nodes->count; j++) {
                        bool is_self = self && strcmp(value_get(nodes->items[j], "name")->text, self->name) == 0;
                        if (!is_self)
                                value_append(arena, list, nodes->items[j]);
                }
                value_set(arena, others, roles->keys[i], list);
        }
        return others;
}

void scope_prepare(struct cluster *cluster) {
        struct arena *arena = &cluster->arena;
        struct value *scope = value_map(arena), *name = value_map(arena), *release = value_map(arena);
        struct value *nodes = value_list(arena);
        set_text_of(arena, name, "name", cluster->name);
        set_text_of(arena, release, "name", cluster->release.name);
        set_text_of(arena, release, "network", cluster->release.network);
        value_set(arena, release, "variables", (struct value *)cluster->release.variables);
        for (size_t i = 0; i < cluster->node_count; i++)
                value_append(arena, nodes, node_value(arena, cluster, &cluster->nodes[i]));
        value_set(arena, scope, "cluster", name);
        value_set(arena, scope, "release", release);
        value_set(arena, scope, "variables", (struct value *)cluster->variables);
        value_set(arena, scope, "networks", networks_value(arena, cluster));
        value_set(arena, scope, "vips", vips_value(arena, cluster));
        value_set(arena, scope, "nodes", nodes);
        value_set(arena, scope, "admin_networks", texts_value(arena, &cluster->admin_networks));
        value_set(arena, scope, "roles", roles_value(arena, cluster, nodes));
        cluster->scope = scope;
}

struct value *cluster_scope(struct arena *arena, const struct cluster *cluster, const struct role *role) {
        assert(cluster->scope); // scope_prepare() has made it
        struct value *scope = value_map(arena), *self = value_map(arena);
        for (size_t i = 0; i < cluster->scope->count; i++)
                value_set(arena, scope, cluster->scope->keys[i], cluster->scope->items[i]);
        set_text_of(arena, self, "name", role->name);
        value_set(arena, self, "firewall", firewall_value(arena, cluster, role));
        value_set(arena, scope, "role", self);
        return scope;
}
