// SPDX-License-Identifier: MIT
#include "serve/free_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Addresses that are taken, as numbers.
struct taken {
        uint32_t *items;
        size_t count;
};

static void note_taken(struct taken *taken, struct in_addr address) {
        if (address.s_addr)
                *array_append(&taken->items, &taken->count) = ntohl(address.s_addr);
}

static void note_taken_texts(struct taken *taken, const struct strings *addresses) {
        for (size_t i = 0; i < addresses->count; i++) {
                struct in_addr address;
                if (inet_pton(AF_INET, addresses->items[i], &address) == 1)
                        note_taken(taken, address);
        }
}

// Of http://HOST[:PORT]..., if the host is an address.
static void note_taken_url(struct taken *taken, const char *url) {
        char host[INET_ADDRSTRLEN] = "";
        struct in_addr address;
        const char *begin = NULL;
        if (url)
                begin = strstr(url, "://");
        if (!begin)
                return;
        begin += strlen("://");
        size_t size = strcspn(begin, ":/");
        if (size >= sizeof host)
                return;
        memcpy(host, begin, size);
        if (inet_pton(AF_INET, host, &address) == 1)
                note_taken(taken, address);
}

static void note_servers(struct taken *taken, const struct cluster *cluster) {
        note_taken_url(taken, cluster->http_base);
        note_taken_url(taken, cluster->report_url);
        for (size_t i = 0; i < cluster->mirrors.count; i++)
                note_taken_url(taken, cluster->mirrors.items[i]);
}

static void take_node(struct taken *taken, const struct node *node) {
        struct in_addr controller;
        note_taken(taken, node->ip);
        if (node->bmc.address && inet_pton(AF_INET, node->bmc.address, &controller) == 1)
                note_taken(taken, controller);
        note_taken_texts(taken, &node->addresses);
        for (size_t i = 0; i < node->link_count; i++) {
                note_taken(taken, node->links[i].ip);
                note_taken_texts(taken, &node->links[i].addresses);
        }
}

static int compare_taken(const void *left, const void *right) {
        uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
        return (a > b) - (a < b);
}

// The first of first..end that is neither taken nor in the pool; 0: none.
static uint32_t free_from(const struct taken *taken, const struct network *network, uint32_t first, uint32_t end) {
        uint32_t pool_first = ntohl(network->pool_first.s_addr), pool_last = ntohl(network->pool_last.s_addr);
        uint64_t address = first;
        size_t at = 0;
        while (address < end) {
                while (at < taken->count && taken->items[at] < address)
                        at++;
                if (pool_first && address >= pool_first && address <= pool_last)
                        address = (uint64_t)pool_last + 1;
                else if (at < taken->count && taken->items[at] == address)
                        address++;
                else
                        return (uint32_t)address;
        }
        return 0;
}

struct in_addr next_free_address(const struct cluster *cluster, uint32_t own) {
        assert(cluster);
        struct taken taken = { 0 };
        if (cluster->network_count == 0)
                return (struct in_addr){ 0 };
        const struct network *network = &cluster->networks[0];
        uint32_t base = ntohl(network->address.s_addr), last = base, end = ~0U;
        if (network->prefix > 0)
                end = base | ~(~0U << (32 - network->prefix));
        if (network->prefix == 32)
                end = base;
        note_taken(&taken, (struct in_addr){ own });
        note_servers(&taken, cluster);
        note_taken(&taken, network->gateway);
        note_taken_texts(&taken, &network->dns);
        for (size_t i = 0; i < cluster->vip_count; i++)
                note_taken(&taken, cluster->vips[i].ip);
        for (size_t i = 0; i < cluster->node_count; i++) {
                uint32_t address = ntohl(cluster->nodes[i].ip.s_addr);
                take_node(&taken, &cluster->nodes[i]);
                if (cluster->nodes[i].network == 0 && address > last)
                        last = address;
        }
        if (taken.count > 0)
                qsort(taken.items, taken.count, sizeof *taken.items, compare_taken);
        uint32_t found = free_from(&taken, network, last + 1, end);
        if (found == 0)
                found = free_from(&taken, network, base + 1, end);
        free(taken.items);
        return (struct in_addr){ htonl(found) };
}
