// SPDX-License-Identifier: MIT
// The inventory as lines of hosts(5).
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "configure/configure.h"
#include "configure/internal.h"
#include "profile/profile.h"

static int compare_names(const void *left, const void *right) {
        return strcasecmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t label_size(const struct node *node) { return strcspn(node->name, "."); }

static void claim(struct strings *claims, const char *name) {
        *(const char **)array_append(&claims->items, &claims->count) = name;
}

// Every name that somebody has or, without its domain, would have; sorted.
static void collect_claims(const struct cluster *cluster, struct arena *arena, struct strings *claims) {
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                claim(claims, arena_strndup(arena, node->name, label_size(node)));
                for (size_t j = 0; j < node->aliases.count; j++)
                        claim(claims, node->aliases.items[j]);
        }
        for (size_t i = 0; i < cluster->vip_count; i++)
                claim(claims, cluster->vips[i].name);
        if (claims->count > 0)
                qsort(claims->items, claims->count, sizeof *claims->items, compare_names);
}

// One that two machines could be called by is nobody's.
static bool is_claimed_once(const struct strings *claims, const char *name) {
        const char **at = bsearch(&name, claims->items, claims->count, sizeof *claims->items, compare_names);
        if (!at)
                return false;
        bool is_after_equal = at > claims->items && strcasecmp(at[-1], name) == 0;
        bool is_before_equal = at + 1 < claims->items + claims->count && strcasecmp(at[1], name) == 0;
        return !is_after_equal && !is_before_equal;
}

static void append_host(const struct node *node, const char *ip, const struct strings *claims, struct arena *arena,
                        struct buf *text) {
        const char *label = arena_strndup(arena, node->name, label_size(node));
        bool has_domain = strlen(label) < strlen(node->name);
        buf_printf(text, "%s %s", ip, node->name);
        if (has_domain && is_claimed_once(claims, label))
                buf_printf(text, " %s", label);
        for (size_t i = 0; i < node->aliases.count; i++)
                buf_printf(text, " %s", node->aliases.items[i]);
        buf_append_char(text, '\n');
}

char *hosts_lines(const struct cluster *cluster) {
        struct arena arena = { 0 };
        struct strings claims = { 0 };
        struct buf text = { 0 };
        char ip[INET_ADDRSTRLEN];
        collect_claims(cluster, &arena, &claims);
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                append_host(node, inet_ntop(AF_INET, &node->ip, ip, sizeof ip), &claims, &arena, &text);
                if (node->ip6.count > 0)
                        append_host(node, node->ip6.items[0], &claims, &arena, &text);
        }
        for (size_t i = 0; i < cluster->vip_count; i++)
                buf_printf(&text, "%s %s\n", inet_ntop(AF_INET, &cluster->vips[i].ip, ip, sizeof ip),
                           cluster->vips[i].name);
        free(claims.items);
        arena_release(&arena);
        if (text.size == 0)
                return xstrdup("");
        return buf_take(&text);
}

char *hosts_text(const struct cluster *cluster) {
        auto_free char *lines = hosts_lines(cluster);
        return xasprintf("127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4\n"
                         "::1 localhost localhost.localdomain localhost6 localhost6.localdomain6\n%s",
                         lines);
}
