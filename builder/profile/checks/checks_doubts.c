// SPDX-License-Identifier: MIT
// What a cluster file may say, and hardly means: warnings.
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "profile/checks/checks.h"

// What resolv.conf(5) of glibc before 2.26 takes: the rest is left out without a word.
enum { NAME_SERVERS_MAX = 3, SEARCH_DOMAINS_MAX = 6 };

static void check_resolver(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "networks");
        for (size_t i = 0; i < file->network_count; i++) {
                const struct network *network = &file->networks[i];
                if (network->dns.count > NAME_SERVERS_MAX)
                        warning("%s: network `%s` has %zu name servers, and its hosts ask the first %d",
                                place_text(loader->arena, schema_place(rows->items[i], "dns")), network->name,
                                network->dns.count, NAME_SERVERS_MAX);
                if (network->search.count > SEARCH_DOMAINS_MAX)
                        warning("%s: network `%s` has %zu search domains, and the resolver of EL7 takes the first %d",
                                place_text(loader->arena, schema_place(rows->items[i], "search")), network->name,
                                network->search.count, SEARCH_DOMAINS_MAX);
        }
}

// ---- VIPs ----

static bool is_in_network(const struct network *network, struct in_addr address) {
        uint32_t mask = 0;
        if (network->prefix > 0)
                mask = htonl(UINT32_MAX << (32 - network->prefix));
        return (address.s_addr & mask) == (network->address.s_addr & mask);
}

static bool has_address_in(const struct node *node, const struct network *network) {
        if (is_in_network(network, node->ip))
                return true;
        for (size_t i = 0; i < node->addresses.count; i++) {
                struct in_addr address;
                if (inet_pton(AF_INET, node->addresses.items[i], &address) == 1 && is_in_network(network, address))
                        return true;
        }
        return false;
}

static void check_vip_network(struct loader *loader, const struct cluster *cluster, const struct vip *vip,
                              const size_t *members, size_t count, const struct place *place) {
        const struct network *network = &cluster->networks[vip->network];
        for (size_t i = 0; i < count; i++)
                if (has_address_in(&cluster->nodes[members[i]], network))
                        return;
        if (count > 0)
                warning(
                    "%s: VIP `%s` is in network `%s`, where no node of role `%s` has an address: nobody can hold it",
                    place_text(loader->arena, place), vip->name, network->name, vip->role);
}

static bool is_priority(const char *name) {
        size_t size = strlen(name), suffix = strlen("priority");
        return size >= suffix && strcmp(name + size - suffix, "priority") == 0;
}

static const char *variable_text(const struct node *node, const char *name) {
        const struct value *value = value_get(node->variables, name);
        if (!value)
                return "";
        return text_or(value->text, "");
}

// A node's variable whose name ends in "priority" says who of those that could hold a VIP does.
static void check_vip_priorities(struct loader *loader, const struct vip *vip, const struct node *node,
                                 const struct node *other) {
        const struct value *variables = node->variables;
        for (size_t i = 0; variables && i < variables->count; i++) {
                const char *name = variables->keys[i], *text = text_or(variables->items[i]->text, "");
                if (!is_priority(name) || !*text || strcmp(text, variable_text(other, name)) != 0)
                        continue;
                warning("%s: nodes `%s` and `%s`, which may hold VIP `%s`, have the same %s, %s: chance decides",
                        place_text(loader->arena, &variables->items[i]->place), other->name, node->name, vip->name,
                        name, text);
        }
}

static void check_vips(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        const struct value *rows = value_get(file->tree, "vips");
        for (size_t i = 0; i < cluster->vip_count; i++) {
                const struct vip *vip = &cluster->vips[i];
                size_t count;
                auto_free size_t *members = cluster_members(cluster, text_or(vip->role, ""), &count);
                check_vip_network(loader, cluster, vip, members, count, schema_place(rows->items[i], "ip"));
                for (size_t j = 1; j < count; j++)
                        for (size_t k = 0; k < j; k++)
                                check_vip_priorities(loader, vip, &cluster->nodes[members[j]],
                                                     &cluster->nodes[members[k]]);
        }
}

// ---- ids ----

static bool votes(const struct cluster *cluster, const struct node *node) {
        return cluster_ensemble_of(cluster, &cluster->roles[node->role])->ensemble;
}

static const struct node *find_voter(const struct cluster *cluster, int id) {
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                if (node->id == id && votes(cluster, node))
                        return node;
        }
        return NULL;
}

// A node beside an ensemble, such as an observer, is known to it by its id.
static void check_ids_beside_ensembles(struct loader *loader, const struct cluster_file *file,
                                       const struct cluster *cluster) {
        const struct value *rows = value_get(file->tree, "nodes");
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                if (node->id == 0 || votes(cluster, node))
                        continue;
                const struct node *voter = find_voter(cluster, node->id);
                if (voter)
                        warning("%s: node `%s` has the id of `%s`, which is a member of an ensemble: %d",
                                place_text(loader->arena, schema_place(rows->items[i], "id")), node->name, voter->name,
                                node->id);
        }
}

void check_doubts(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        check_resolver(loader, file);
        if (loader->diagnostics->mistake_count > 0) // names may lead nowhere
                return;
        check_vips(loader, file, cluster);
        check_ids_beside_ensembles(loader, file, cluster);
}
