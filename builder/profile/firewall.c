// SPDX-License-Identifier: MIT
// Who is meant by a role's `firewall`: the inventory's addresses, as few subnets as hold them and nothing else.
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "profile/internal.h"
#include "profile/reader/names.h"

// Names, and beside them IANA's numbers: /etc/protocols of a small system lacks some.
const char *const firewall_protocols[] = { "tcp", "udp", "sctp", "vrrp", "igmp", "gre", "esp", "ah", "ospf", NULL };
static const char *const protocol_numbers[] = { "6", "17", "132", "112", "2", "47", "50", "51", "89", NULL };
static_assert(lengthof(firewall_protocols) == lengthof(protocol_numbers), "a number for each name");

// Addresses in host order, both inclusive.
struct range {
        uint64_t first, last;
};

struct ranges {
        struct range *items; // heap array
        size_t count;
};

static void add_range(struct ranges *ranges, uint64_t first, uint64_t last) {
        *array_append(&ranges->items, &ranges->count) = (struct range){ first, last };
}

static void add_single(struct ranges *ranges, struct in_addr address) {
        add_range(ranges, ntohl(address.s_addr), ntohl(address.s_addr));
}

// "192.168.2.0/24", checked by the tables. Bits behind the prefix do not count.
static void add_subnet(struct ranges *ranges, const char *text) {
        char address[INET_ADDRSTRLEN] = "";
        const char *slash = strchr(text, '/');
        struct in_addr parsed;
        if (!slash || (size_t)(slash - text) >= sizeof address)
                return;
        memcpy(address, text, (size_t)(slash - text));
        if (inet_pton(AF_INET, address, &parsed) != 1)
                return;
        uint64_t size = 1ULL << (32 - strtol(slash + 1, NULL, 10));
        uint64_t first = ntohl(parsed.s_addr) / size * size;
        add_range(ranges, first, first + size - 1);
}

static void add_further_addresses(struct ranges *ranges, const struct strings *addresses) {
        for (size_t i = 0; i < addresses->count; i++) {
                struct in_addr address;
                if (inet_pton(AF_INET, addresses->items[i], &address) == 1)
                        add_single(ranges, address);
        }
}

static void add_addresses_of(struct ranges *ranges, const struct node *node) {
        add_single(ranges, node->ip);
        add_further_addresses(ranges, &node->addresses);
        for (size_t i = 0; i < node->link_count; i++) {
                if (node->links[i].ip.s_addr)
                        add_single(ranges, node->links[i].ip);
                add_further_addresses(ranges, &node->links[i].addresses);
        }
}

// Machines that the inventory does not know have addresses of the pools.
static void add_role(struct ranges *ranges, const struct cluster *cluster, const struct role *role) {
        for (size_t i = 0; i < role->node_count; i++)
                add_addresses_of(ranges, &cluster->nodes[role->nodes[i]]);
        for (size_t i = 0; role->strangers && i < cluster->network_count; i++) {
                const struct network *network = &cluster->networks[i];
                if (network->pool_first.s_addr)
                        add_range(ranges, ntohl(network->pool_first.s_addr), ntohl(network->pool_last.s_addr));
        }
}

// What inherits a role does its work. False: no machine of this cluster has the role.
static bool add_roles_called(struct ranges *ranges, const struct cluster *cluster, const char *name) {
        bool found = false;
        for (size_t i = 0; i < cluster->role_count; i++) {
                if (!role_is(&cluster->roles[i], name))
                        continue;
                add_role(ranges, cluster, &cluster->roles[i]);
                found = true;
        }
        return found;
}

static void add_source(struct ranges *ranges, const struct cluster *cluster, const char *name) {
        if (strcmp(name, FROM_ANY) == 0) {
                add_range(ranges, 0, UINT32_MAX);
        } else if (strcmp(name, FROM_CLUSTER) == 0) {
                for (size_t i = 0; i < cluster->role_count; i++)
                        add_role(ranges, cluster, &cluster->roles[i]);
        } else if (strcmp(name, FROM_ADMIN) == 0) {
                for (size_t i = 0; i < cluster->admin_networks.count; i++)
                        add_subnet(ranges, cluster->admin_networks.items[i]);
        } else if (!add_roles_called(ranges, cluster, name)) {
                add_subnet(ranges, name); // or a role that no machine of this cluster has
        }
}

static int compare_ranges(const void *left, const void *right) {
        const struct range *a = left, *b = right;
        return (a->first > b->first) - (a->first < b->first);
}

// Sorts, and joins what overlaps or touches.
static void join_ranges(struct ranges *ranges) {
        size_t kept = 0;
        if (ranges->count == 0)
                return;
        qsort(ranges->items, ranges->count, sizeof *ranges->items, compare_ranges);
        for (size_t i = 1; i < ranges->count; i++) {
                struct range *last = &ranges->items[kept];
                const struct range *next = &ranges->items[i];
                if (next->first > last->last + 1) {
                        ranges->items[++kept] = *next;
                        continue;
                }
                if (next->last > last->last)
                        last->last = next->last;
        }
        ranges->count = kept + 1;
}

// The subnets that are exactly this range, largest first where they can begin.
static void add_subnets(struct arena *arena, const struct range *range, struct strings *subnets) {
        uint64_t first = range->first;
        while (first <= range->last) {
                int prefix = 32;
                uint64_t size = 1;
                while (prefix > 0 && first % (size * 2) == 0 && first + size * 2 - 1 <= range->last) {
                        size *= 2;
                        prefix--;
                }
                char text[INET_ADDRSTRLEN] = "";
                struct in_addr address = { htonl((uint32_t)first) };
                inet_ntop(AF_INET, &address, text, sizeof text);
                strings_add_once(arena, subnets, arena_printf(arena, "%s/%d", text, prefix));
                first += size;
        }
}

static struct strings find_sources(struct arena *arena, const struct cluster *cluster,
                                   const struct firewall_rule *rule) {
        struct ranges ranges = { 0 };
        struct strings subnets = { 0 };
        for (size_t i = 0; i < rule->from.count; i++)
                add_source(&ranges, cluster, rule->from.items[i]);
        join_ranges(&ranges);
        for (size_t i = 0; i < ranges.count; i++)
                add_subnets(arena, &ranges.items[i], &subnets);
        free(ranges.items);
        return subnets;
}

static const char *protocol_number(const char *name) {
        for (size_t i = 0; firewall_protocols[i]; i++)
                if (strcmp(firewall_protocols[i], name) == 0)
                        return protocol_numbers[i];
        return "";
}

// "31000-32000" as iptables has it.
static const char *port_text(struct arena *arena, const char *port) {
        char *text = arena_strdup(arena, port);
        char *dash = strchr(text, '-');
        if (dash)
                *dash = ':';
        return text;
}

static void append_row(struct arena *arena, struct value *list, const struct firewall_rule *rule, const char *port,
                       const char *source) {
        struct value *map = value_map(arena);
        value_set(arena, map, "name", value_scalar(arena, rule->name));
        value_set(arena, map, "protocol", value_scalar(arena, rule->protocol));
        value_set(arena, map, "number", value_scalar(arena, protocol_number(rule->protocol)));
        value_set(arena, map, "port", value_scalar(arena, port_text(arena, port)));
        value_set(arena, map, "source", value_scalar(arena, source));
        value_append(arena, list, map);
}

static void append_rule(struct arena *arena, struct value *list, const struct cluster *cluster,
                        const struct firewall_rule *rule) {
        struct strings sources = find_sources(arena, cluster, rule);
        for (size_t i = 0; i < sources.count; i++) {
                for (size_t j = 0; j < rule->ports.count; j++)
                        append_row(arena, list, rule, rule->ports.items[j], sources.items[i]);
                if (rule->ports.count == 0)
                        append_row(arena, list, rule, "", sources.items[i]);
        }
}

// Operators ask for health.
static struct firewall_rule health_rule(struct arena *arena, const struct health_check *health) {
        struct firewall_rule rule = { .name = arena_printf(arena, "health of %s", health->name), .protocol = "tcp" };
        strings_add_once(arena, &rule.ports, arena_printf(arena, "%d", health->port));
        strings_add_once(arena, &rule.from, FROM_ADMIN);
        return rule;
}

struct value *firewall_value(struct arena *arena, const struct cluster *cluster, const struct role *role) {
        struct value *list = value_list(arena);
        for (size_t i = 0; i < role->firewall_count; i++)
                append_rule(arena, list, cluster, &role->firewall[i]);
        for (size_t i = 0; i < role->health_count; i++) {
                struct firewall_rule rule = health_rule(arena, &role->health[i]);
                append_rule(arena, list, cluster, &rule);
        }
        if (cluster->status_port != 0) {
                const struct health_check machine = { .name = "the machine", .port = cluster->status_port };
                struct firewall_rule rule = health_rule(arena, &machine);
                append_rule(arena, list, cluster, &rule);
        }
        return list;
}
