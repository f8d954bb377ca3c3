// SPDX-License-Identifier: MIT
// What the nodes of a role say together: a quorum of three of which each answers well is none if two of them lead.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "status/answer.h"
#include "status/internal.h"

// One value of each node that gave it.
struct said {
        struct said_value {
                const char *node, *text;
        } * items;
        size_t count;
};

static const char *value_on(const json_t *node, const char *check, const char *name) {
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(node, "checks"), i, item) {
                if (strcmp(member_text(item, "name"), check) == 0)
                        return json_string_value(json_object_get(json_object_get(item, "values"), name));
        }
        return NULL;
}

// `value` is CHECK.VALUE; a check's name may have dots.
static struct said collect(const struct cluster *cluster, const struct role *role, const json_t *nodes,
                           const char *value) {
        struct said said = { 0 };
        const char *dot = strrchr(value, '.');
        auto_free char *check = xstrndup(value, (size_t)(dot - value));
        for (size_t i = 0; i < role->node_count; i++) {
                const char *name = cluster->nodes[role->nodes[i]].name;
                const char *text = value_on(json_object_get(nodes, name), check, dot + 1);
                if (text)
                        *array_append(&said.items, &said.count) = (struct said_value){ name, text };
        }
        return said;
}

static void append_values(const struct said *said, struct buf *ret) {
        for (size_t i = 0; i < said->count; i++)
                buf_printf(ret, "%s%s: %s", i > 0 ? ", " : "", said->items[i].node, said->items[i].text);
}

// ---- the kinds ----

static bool say_same(const struct said *said) {
        for (size_t i = 1; i < said->count; i++)
                if (strcmp(said->items[i].text, said->items[0].text) != 0)
                        return false;
        return true;
}

static size_t count_matching(const struct said *said, const char *expression) {
        size_t count = 0;
        for (size_t i = 0; i < said->count; i++)
                count += expression_matches(expression, said->items[i].text);
        return count;
}

// False: one of them says what is no number.
static bool sum_values(const struct said *said, double *ret) {
        *ret = 0;
        for (size_t i = 0; i < said->count; i++) {
                char *end;
                *ret += strtod(said->items[i].text, &end);
                if (end == said->items[i].text || *end)
                        return false;
        }
        return true;
}

static const struct role *find_named_role(const struct cluster *cluster, const char *name) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].name, name) == 0)
                        return &cluster->roles[i];
        return NULL;
}

static bool judge_sum(const struct cluster *cluster, const struct agreement *agreement, const struct said *said,
                      struct buf *ret) {
        const struct role *counted = find_named_role(cluster, text_or(agreement->nodes_of, ""));
        if (!counted)
                return true; // `kiln check` warned
        double expected = (double)counted->node_count - agreement->less, sum;
        if (!sum_values(said, &sum)) {
                buf_append_text(ret, "a value is no number; ");
                return false;
        }
        buf_printf(ret, "%g of %g; ", sum, expected);
        bool is_more_fine = counted->strangers; // machines that the inventory does not know count, too
        return fabs(sum - expected) < 0.5 || (is_more_fine && sum > expected);
}

static bool judge_one(const struct agreement *agreement, const struct said *said, struct buf *ret) {
        size_t count = count_matching(said, agreement->is);
        buf_printf(ret, "%zu nodes say %s; ", count, agreement->is);
        return count == 1;
}

static bool judge_agreement(const struct cluster *cluster, const struct agreement *agreement, const struct said *said,
                            struct buf *ret) {
        switch ((enum agreement_kind)agreement->kind) {
        case AGREEMENT_SAME:
                return say_same(said);
        case AGREEMENT_ONE:
                return judge_one(agreement, said, ret);
        case AGREEMENT_SUM:
                return judge_sum(cluster, agreement, said, ret);
        }
        return false;
}

static void add_agreement(const struct role *role, const struct agreement *agreement, json_t *ok, const char *evidence,
                          json_t *agreements) {
        json_array_append_new(agreements, json_pack("{ss ss so ss}", "role", role->name, "name", agreement->name, "ok",
                                                    ok, "evidence", evidence));
}

// Of a role whose nodes are off that is told node by node; a node that answers and does not say it is told here.
static bool answers_check(const json_t *node, const char *value) {
        size_t i, length = (size_t)(strrchr(value, '.') - value);
        json_t *item;
        json_array_foreach(json_object_get(node, "checks"), i, item) {
                const char *name = member_text(item, "name");
                bool is_it = strlen(name) == length && strncmp(name, value, length) == 0;
                if (is_it && json_is_true(json_object_get(item, "ok")))
                        return true;
        }
        return false;
}

static bool any_answers(const struct cluster *cluster, const struct role *role, const json_t *nodes,
                        const char *value) {
        for (size_t i = 0; i < role->node_count; i++)
                if (answers_check(json_object_get(nodes, cluster->nodes[role->nodes[i]].name), value))
                        return true;
        return false;
}

// A sum of nothing is 0: a lone ZooKeeper has no followers to tell of.
static bool needs_no_value(const struct cluster *cluster, const struct agreement *agreement) {
        const struct role *counted = find_named_role(cluster, text_or(agreement->nodes_of, ""));
        return agreement->kind == AGREEMENT_SUM && (!counted || (int)counted->node_count <= agreement->less);
}

void agreements_judge(const struct cluster *cluster, const struct role *role, const json_t *nodes, json_t *agreements,
                      json_t *findings, bool *ret_serious) {
        for (size_t i = 0; i < role->agreement_count; i++) {
                const struct agreement *agreement = &role->agreements[i];
                struct said said = collect(cluster, role, nodes, agreement->value);
                auto_buf evidence = { 0 };
                bool ok = said.count > 0 && judge_agreement(cluster, agreement, &said, &evidence);
                append_values(&said, &evidence);
                if (said.count == 0) {
                        add_agreement(role, agreement, json_null(), "no node says anything of it", agreements);
                } else {
                        add_agreement(role, agreement, json_boolean(ok), buf_text(&evidence), agreements);
                }
                bool is_missed = said.count == 0 && !needs_no_value(cluster, agreement) &&
                                 any_answers(cluster, role, nodes, agreement->value);
                if (is_missed)
                        buf_printf(&evidence, "the nodes answer, and none of them says %s", agreement->value);
                if (is_missed || (!ok && said.count > 0)) {
                        auto_free char *what = xasprintf("%s: %s", role->name, agreement->name);
                        add_finding(findings, what, buf_text(&evidence),
                                    "the nodes do not agree: look at the one that differs, and at the network between "
                                    "them",
                                    agreement->serious);
                }
                if (!ok && agreement->serious)
                        *ret_serious = true;
                free(said.items);
        }
}
