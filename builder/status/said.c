// SPDX-License-Identifier: MIT
#include "status/said.h"

#include <arpa/inet.h>
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/strings.h"

static const json_t *value_on(const json_t *node, const char *check, const char *name) {
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(node, "checks"), i, item) {
                if (strcmp(member_text(item, "name"), check) == 0)
                        return json_object_get(json_object_get(item, "values"), name);
        }
        return NULL;
}

static void add_text(struct said *said, const struct node *node, const char *text) {
        *array_append(&said->items, &said->count) = (struct said_value){ node, text, said->node_count };
}

static void add_speaker(struct said *said, const struct node *node, const json_t *value) {
        size_t i;
        json_t *item;
        if (json_is_string(value))
                add_text(said, node, json_string_value(value));
        json_array_foreach(value, i, item) { add_text(said, node, json_string_value(item)); }
        *array_append(&said->speakers, &said->node_count) = node;
}

struct said said_collect(const struct cluster *cluster, const struct role *role, const json_t *nodes,
                         const char *value) {
        assert(cluster && role && value);
        struct said said = { 0 };
        const char *dot = strrchr(value, '.');
        auto_free char *check = xstrndup(value, (size_t)(dot - value));
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &cluster->nodes[role->nodes[i]];
                const json_t *found = value_on(json_object_get(nodes, node->name), check, dot + 1);
                if (found)
                        add_speaker(&said, node, found);
        }
        return said;
}

void said_release(struct said *said) {
        free(said->items);
        free(said->speakers);
        *said = (struct said){ 0 };
}

static bool is_of(const struct said_value *item, size_t speaker) {
        return speaker == (size_t)SAID_BY_ALL || item->speaker == speaker;
}

static int compare_texts(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// In the order of bytes; the array is the heap's.
static struct strings sorted_texts(const struct said *said, size_t speaker) {
        struct strings texts = { 0 };
        for (size_t i = 0; i < said->count; i++)
                if (is_of(&said->items[i], speaker))
                        *array_append(&texts.items, &texts.count) = said->items[i].text;
        if (texts.count > 0)
                qsort(texts.items, texts.count, sizeof *texts.items, compare_texts);
        return texts;
}

char *said_join(const struct said *said, size_t speaker) {
        auto_buf joined = { 0 };
        struct strings texts = sorted_texts(said, speaker);
        for (size_t i = 0; i < texts.count; i++)
                buf_printf(&joined, "%s\n", texts.items[i]);
        free(texts.items);
        return buf_take(&joined);
}

static void append_member(struct buf *to, const char *name) {
        enum { SHOWN_MAX = 200 };
        if (to->size > SHOWN_MAX)
                return;
        if (to->size > 0)
                buf_append_text(to, ", ");
        buf_append_text(to, name);
}

static void tell_part(const char *what, const struct buf *names, struct buf *evidence) {
        if (names->size > 0)
                buf_printf(evidence, "%s: %s; ", what, buf_text(names));
}

// Appends the texts of `left` that `right` has not, each once; both are sorted.
static void append_missing(const struct strings *left, const struct strings *right, struct buf *ret) {
        size_t j = 0;
        for (size_t i = 0; i < left->count; i++) {
                bool is_repeated = i > 0 && strcmp(left->items[i], left->items[i - 1]) == 0;
                while (j < right->count && strcmp(right->items[j], left->items[i]) < 0)
                        j++;
                bool is_there = j < right->count && strcmp(right->items[j], left->items[i]) == 0;
                if (!is_there && !is_repeated)
                        append_member(ret, left->items[i]);
        }
}

bool said_same_set(const struct said *said, size_t speaker, const struct said *others, struct buf *evidence) {
        assert(said && others && evidence && speaker < said->node_count);
        auto_buf missing = { 0 }, alone = { 0 };
        struct strings own = sorted_texts(said, speaker), other = sorted_texts(others, (size_t)SAID_BY_ALL);
        append_missing(&other, &own, &missing);
        append_missing(&own, &other, &alone);
        free(own.items);
        free(other.items);
        bool is_same = missing.size == 0 && alone.size == 0;
        if (!is_same)
                buf_printf(evidence, "%s: ", said->speakers[speaker]->name);
        tell_part("missing", &missing, evidence);
        tell_part("not known", &alone, evidence);
        return is_same;
}

// ---- who is meant ----

static bool is_name_of(const char *text, const struct node *node) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &node->ip, ip, sizeof ip);
        return strcmp(text, node->name) == 0 || strcmp(text, ip) == 0 || strings_have(&node->aliases, text) ||
               strings_have(&node->addresses, text);
}

bool text_names_node(const char *text, const struct node *node) {
        const char *scheme = strstr(text, "://"), *at = NULL;
        if (is_name_of(text, node))
                return true;
        if (scheme)
                text = scheme + 3;
        at = strrchr(text, '@');
        if (at)
                text = at + 1;
        auto_free char *host = xstrndup(text, strcspn(text, ":/"));
        return is_name_of(host, node);
}

// ---- times ----

double time_of_text(const char *text) {
        enum { MILLISECONDS_FROM = 100000000 }; // seconds of the year 5138, times 1000
        struct tm fields = { 0 };
        char *end;
        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &fields);
        if (rest) {
                rest += strspn(rest, ".0123456789");
                bool is_utc = *rest == '\0' || strcmp(rest, "Z") == 0 || strcmp(rest, "+00:00") == 0;
                if (is_utc)
                        return (double)timegm(&fields);
                return NAN;
        }
        double number = strtod(text, &end);
        if (end == text || *end || !isfinite(number))
                return NAN;
        if (number > (double)MILLISECONDS_FROM * 1000)
                number /= 1000;
        return number;
}

// ---- members ----

// What is wrong, told once for each kind of it.
struct difference {
        struct buf missing, twice, unknown;
        size_t unknown_count;
};

static void count_member(const char *name, size_t count, struct difference *difference) {
        if (count == 0)
                append_member(&difference->missing, name);
        if (count > 1)
                append_member(&difference->twice, name);
}

static void compare_by_name(const struct members *members, const struct said *list, size_t speaker,
                            struct difference *difference) {
        const struct role *role = members->role;
        auto_free bool *is_known = xcalloc(list->count + 1, sizeof *is_known);
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &members->cluster->nodes[role->nodes[i]];
                size_t count = 0;
                for (size_t j = 0; j < list->count; j++)
                        if (is_of(&list->items[j], speaker) && text_names_node(list->items[j].text, node)) {
                                is_known[j] = true;
                                count++;
                        }
                count_member(node->name, count, difference);
        }
        for (size_t j = 0; j < list->count; j++)
                if (is_of(&list->items[j], speaker) && !is_known[j] && !role->strangers) {
                        append_member(&difference->unknown, list->items[j].text);
                        difference->unknown_count++;
                }
}

static bool is_said(const struct said *said, const char *text) {
        for (size_t i = 0; i < said->count; i++)
                if (strcmp(said->items[i].text, text) == 0)
                        return true;
        return false;
}

static size_t times_listed(const struct said *list, size_t speaker, const char *text) {
        size_t count = 0;
        for (size_t j = 0; j < list->count; j++)
                count += is_of(&list->items[j], speaker) && strcmp(list->items[j].text, text) == 0;
        return count;
}

// The nodes that did not say how they are called may be those that nobody else is.
static void compare_by_saying(const struct members *members, const struct said *list, size_t speaker,
                              struct difference *difference) {
        const struct said *says = members->says;
        size_t silent = members->role->node_count - says->node_count;
        for (size_t i = 0; i < says->count; i++) {
                auto_free char *name = xasprintf("%s, which says %s", says->items[i].node->name, says->items[i].text);
                count_member(name, times_listed(list, speaker, says->items[i].text), difference);
        }
        for (size_t j = 0; j < list->count; j++)
                if (is_of(&list->items[j], speaker) && !is_said(says, list->items[j].text)) {
                        append_member(&difference->unknown, list->items[j].text);
                        difference->unknown_count++;
                }
        if (difference->unknown_count <= silent || members->role->strangers)
                difference->unknown_count = 0;
}

enum agreed members_compare(const struct members *members, const struct said *list, size_t speaker,
                            struct buf *evidence) {
        assert(members && list && evidence);
        struct difference difference = { 0 };
        if (members->says)
                compare_by_saying(members, list, speaker, &difference);
        else
                compare_by_name(members, list, speaker, &difference);
        enum agreed agreed =
            agreed_if(difference.missing.size == 0 && difference.twice.size == 0 && difference.unknown_count == 0);
        if (agreed == AGREED_NO && speaker != (size_t)SAID_BY_ALL)
                buf_printf(evidence, "%s: ", list->speakers[speaker]->name);
        if (agreed == AGREED_NO) {
                tell_part("missing", &difference.missing, evidence);
                tell_part("more than once", &difference.twice, evidence);
                if (difference.unknown_count > 0)
                        tell_part("not known", &difference.unknown, evidence);
        }
        buf_release(&difference.missing);
        buf_release(&difference.twice);
        buf_release(&difference.unknown);
        return agreed;
}
