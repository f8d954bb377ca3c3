// SPDX-License-Identifier: MIT
// What the nodes of a role say together: a quorum of three of which each answers well is none if two of them lead.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "status/expression.h"
#include "status/internal.h"
#include "status/said.h"

enum { EVIDENCE_VALUES_MAX = 8 };

static void append_values(const struct said *said, struct buf *ret) {
        for (size_t i = 0; i < said->count; i++) {
                if (i == EVIDENCE_VALUES_MAX) {
                        buf_printf(ret, " and %zu more", said->count - i);
                        return;
                }
                if (i > 0)
                        buf_append_text(ret, ", ");
                buf_printf(ret, "%s: %s", said->items[i].node->name, said->items[i].text);
        }
}

// ---- the kinds: each appends what it saw, and says whether that is an agreement ----

struct judging {
        const struct cluster *cluster;
        const struct role *role;
        const struct agreement *agreement;
        const json_t *nodes;
        struct said said; // of agreement->value
};

// One node alone agrees with itself, but of several of which one speaks nothing is known.
static enum agreed judge_same(const struct judging *judging, struct buf *evidence) {
        const struct said *said = &judging->said;
        if (said->node_count == 1 && judging->role->node_count > 1) {
                buf_append_text(evidence, "only one node says it; ");
                return AGREED_UNKNOWN;
        }
        for (size_t i = 1; i < said->node_count; i++) {
                auto_free char *one = said_join(said, 0), *other = said_join(said, i);
                if (strcmp(one, other) != 0)
                        return AGREED_NO;
        }
        return AGREED_YES;
}

// How many of the texts are as the agreement says, and whose the last of them is. False: they are too many, and too
// long, to be looked at.
static bool count_matching(const struct judging *judging, const struct said *said, size_t *ret,
                           const struct node **ret_last) {
        struct expression is;
        enum expression_result result = EXPRESSION_ABSENT;
        int64_t until_ms = expression_clock_ms() + EXPRESSION_LIMIT_MS;
        *ret = 0;
        if (!expression_compile(judging->agreement->is, &is))
                return true;
        for (size_t i = 0; i < said->count && result != EXPRESSION_UNKNOWN; i++) {
                result = expression_search(&is, said->items[i].text, until_ms);
                if (result != EXPRESSION_FOUND)
                        continue;
                *ret_last = said->items[i].node;
                ++*ret;
        }
        expression_release(&is);
        return result != EXPRESSION_UNKNOWN;
}

static enum agreed say_too_much(struct buf *evidence) {
        buf_append_text(evidence, "they say too much to look at; ");
        return AGREED_UNKNOWN;
}

static enum agreed judge_one(const struct judging *judging, struct buf *evidence) {
        const struct node *last = NULL;
        size_t count;
        if (!count_matching(judging, &judging->said, &count, &last))
                return say_too_much(evidence);
        buf_printf(evidence, "%zu nodes say %s; ", count, judging->agreement->is);
        return agreed_if(count == 1);
}

static enum agreed judge_every(const struct judging *judging, struct buf *evidence) {
        const struct node *last = NULL;
        size_t count;
        if (!count_matching(judging, &judging->said, &count, &last))
                return say_too_much(evidence);
        return agreed_if(count == judging->said.count);
}

// NAN: that is no number. Hexadecimal ones begin with 0x.
static double number_of_text(const char *text) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || *end)
                return NAN;
        return number;
}

// False: one of them says what is no number.
static bool sum_values(const struct said *said, double *ret) {
        *ret = 0;
        for (size_t i = 0; i < said->count; i++)
                *ret += number_of_text(said->items[i].text);
        return !isnan(*ret);
}

static enum agreed judge_sum(const struct judging *judging, struct buf *evidence) {
        const struct agreement *agreement = judging->agreement;
        const struct role *counted = cluster_find_role(judging->cluster, text_or(agreement->nodes_of, ""));
        if (!counted)
                return AGREED_YES; // `kiln check` warned
        double expected = (double)counted->node_count - agreement->less, sum;
        if (!sum_values(&judging->said, &sum)) {
                buf_append_text(evidence, "a value is no number; ");
                return AGREED_NO;
        }
        buf_printf(evidence, "%g of %g; ", sum, expected);
        bool is_more_fine = counted->strangers; // machines that the inventory does not know count, too
        return agreed_if(fabs(sum - expected) < 0.5 || (is_more_fine && sum > expected));
}

// The one node whose `where` matches `is`, or NULL: there is none, or there are several, which others tell.
static const struct node *find_meant(const struct judging *judging) {
        struct said where = said_collect(judging->cluster, judging->role, judging->nodes, judging->agreement->where);
        const struct node *meant = NULL;
        size_t count;
        bool is_known = count_matching(judging, &where, &count, &meant) && count == 1;
        said_release(&where);
        if (!is_known)
                return NULL;
        return meant;
}

static enum agreed judge_names(const struct judging *judging, struct buf *evidence) {
        const struct node *meant = find_meant(judging);
        if (!meant) {
                buf_append_text(evidence, "which one is meant is not known; ");
                return AGREED_UNKNOWN;
        }
        buf_printf(evidence, "it is %s; ", meant->name);
        for (size_t i = 0; i < judging->said.count; i++)
                if (!text_names_node(judging->said.items[i].text, meant))
                        return AGREED_NO;
        return AGREED_YES;
}

static enum agreed judge_members(const struct judging *judging, struct buf *evidence) {
        const struct agreement *agreement = judging->agreement;
        const struct role *listed = cluster_find_role(judging->cluster, text_or(agreement->nodes_of, ""));
        if (!listed)
                return AGREED_YES; // `kiln check` warned
        struct said says = { 0 };
        struct members members = { .role = listed, .cluster = judging->cluster };
        if (agreement->says) {
                says = said_collect(judging->cluster, listed, judging->nodes, agreement->says);
                members.says = &says;
        }
        enum agreed agreed = AGREED_YES;
        if (agreement->says && says.node_count == 0) {
                buf_printf(evidence, "no node of role %s says %s; ", listed->name, agreement->says);
                agreed = AGREED_UNKNOWN;
        } else if (!agreement->each) {
                agreed = members_compare(&members, &judging->said, SAID_BY_ALL, evidence);
        } else {
                for (size_t i = 0; i < judging->said.node_count; i++)
                        if (members_compare(&members, &judging->said, i, evidence) == AGREED_NO)
                                agreed = AGREED_NO;
        }
        said_release(&says);
        return agreed;
}

static enum agreed judge_sets(const struct judging *judging, struct buf *evidence) {
        const struct agreement *agreement = judging->agreement;
        const struct role *other = cluster_find_role(judging->cluster, text_or(agreement->nodes_of, ""));
        if (!other)
                return AGREED_YES; // `kiln check` warned
        struct said says = said_collect(judging->cluster, other, judging->nodes, agreement->says);
        enum agreed agreed = AGREED_YES;
        if (says.node_count == 0) {
                buf_printf(evidence, "no node of role %s says %s; ", other->name, agreement->says);
                agreed = AGREED_UNKNOWN;
        }
        for (size_t i = 0; agreed != AGREED_UNKNOWN && i < judging->said.node_count; i++)
                if (!said_same_set(&judging->said, i, &says, evidence))
                        agreed = AGREED_NO;
        said_release(&says);
        return agreed;
}

// A meant node that does not say it is one of which nothing is known.
static enum agreed judge_most(const struct judging *judging, struct buf *evidence) {
        const struct node *meant = find_meant(judging);
        double most = -INFINITY, own = NAN;
        for (size_t i = 0; i < judging->said.count; i++) {
                const struct said_value *value = &judging->said.items[i];
                double number = number_of_text(value->text);
                if (isnan(number)) {
                        buf_printf(evidence, "%s is no number; ", value->text);
                        return AGREED_NO;
                }
                if (value->node == meant)
                        own = number;
                if (number > most)
                        most = number;
        }
        if (!meant || isnan(own)) {
                buf_append_text(evidence, "which one is meant, or its number, is not known; ");
                return AGREED_UNKNOWN;
        }
        buf_printf(evidence, "it is %s; ", meant->name);
        return agreed_if(own >= most);
}

static enum agreed judge_recent(const struct judging *judging, struct buf *evidence) {
        enum agreed agreed = AGREED_YES;
        time_t now = time(NULL);
        for (size_t i = 0; i < judging->said.count; i++) {
                const struct said_value *value = &judging->said.items[i];
                double at = time_of_text(value->text);
                if (isnan(at)) {
                        buf_printf(evidence, "%s is no time; ", value->text);
                        return AGREED_NO;
                }
                if (agreed == AGREED_YES && (double)now - at > judging->agreement->within_s) {
                        buf_printf(evidence, "since %.0f min, and %d s are the most; ", ((double)now - at) / 60,
                                   judging->agreement->within_s);
                        agreed = AGREED_NO;
                }
        }
        return agreed;
}

static const struct {
        enum agreed (*judge)(const struct judging *judging, struct buf *evidence);
        bool is_list; // an empty list is an answer
        const char *remedy;
} kinds[] = {
        [AGREEMENT_SAME] = { judge_same, false,
                             "the nodes do not agree: look at the one that differs, and at the network between them" },
        [AGREEMENT_ONE] = { judge_one, false,
                            "look at each of the nodes that say it, and at the network between them" },
        [AGREEMENT_SUM] = { judge_sum, false,
                            "some are missing: look at those that are not counted, and at their logs" },
        [AGREEMENT_EVERY] = { judge_every, false, "look at the node that differs: systemctl status, journalctl -b" },
        [AGREEMENT_NAMES] = { judge_names, false,
                              "who names another has an old view: look at its connections, then restart its service" },
        [AGREEMENT_MEMBERS] = { judge_members, true,
                                "what is missing has to join: its service and log; what nobody knows has to go" },
        [AGREEMENT_RECENT] = { judge_recent, true, "it does not come to an end: look at what it waits for" },
        [AGREEMENT_SETS] = { judge_sets, true,
                             "one of the two has an old view of the other: its log, and the network between them" },
        [AGREEMENT_MOST] = { judge_most, false, "it is behind others: look at the network between them" },
};

// ---- findings ----

static void add_agreement(const struct judging *judging, enum agreed agreed, const char *evidence, json_t *agreements) {
        json_t *ok = json_null();
        if (agreed != AGREED_UNKNOWN)
                ok = json_boolean(agreed == AGREED_YES);
        json_array_append_new(agreements, json_pack("{ss ss so ss}", "role", judging->role->name, "name",
                                                    judging->agreement->name, "ok", ok, "evidence", evidence));
}

// A node's check of CHECK.VALUE, or NULL.
static const json_t *check_of_value(const json_t *node, const char *value) {
        size_t i, length = (size_t)(strrchr(value, '.') - value);
        json_t *item;
        json_array_foreach(json_object_get(node, "checks"), i, item) {
                const char *name = member_text(item, "name");
                if (strlen(name) == length && strncmp(name, value, length) == 0)
                        return item;
        }
        return NULL;
}

// Of a role whose nodes are off that is told node by node; a node that answers and does not say it is told here.
static bool answers_check(const json_t *node, const char *value) {
        return json_is_true(json_object_get(check_of_value(node, value), "ok"));
}

static bool any_answers(const struct judging *judging) {
        const struct role *role = judging->role;
        for (size_t i = 0; i < role->node_count; i++) {
                const char *name = judging->cluster->nodes[role->nodes[i]].name;
                if (answers_check(json_object_get(judging->nodes, name), judging->agreement->value))
                        return true;
        }
        return false;
}

// A sum of nothing is 0: a lone ZooKeeper has no followers to tell of.
static bool needs_no_value(const struct judging *judging) {
        const struct agreement *agreement = judging->agreement;
        const struct role *counted = cluster_find_role(judging->cluster, text_or(agreement->nodes_of, ""));
        return agreement->kind == AGREEMENT_SUM && (!counted || (int)counted->node_count <= agreement->less);
}

static void tell(const struct judging *judging, const char *evidence, json_t *findings) {
        const struct agreement *agreement = judging->agreement;
        auto_free char *what = xasprintf("%s: %s", judging->role->name, agreement->name);
        add_finding(findings, what, evidence, text_or(agreement->remedy, kinds[agreement->kind].remedy),
                    agreement->serious);
}

static bool is_unknown_question(const json_t *check) {
        enum { NOT_FOUND = 404, NOT_ALLOWED = 405, NOT_IMPLEMENTED = 501 };
        json_int_t status = member_number(check, "http");
        return status == NOT_FOUND || status == NOT_ALLOWED || status == NOT_IMPLEMENTED;
}

// The first node, healthy by all else, that hangs or fails when it is asked for a value; one that does not know the
// question says so. What is wrong with the others is told node by node.
static const json_t *find_mute(const struct judging *judging, const struct role *role, const char *value,
                               const struct node **ret) {
        for (size_t i = 0; i < role->node_count; i++) {
                *ret = &judging->cluster->nodes[role->nodes[i]];
                const json_t *node = json_object_get(judging->nodes, (*ret)->name);
                const json_t *check = check_of_value(node, value);
                bool fails = check && !json_is_true(json_object_get(check, "ok")) && !is_unknown_question(check);
                if (fails && json_is_true(json_object_get(node, "healthy")))
                        return check;
        }
        return NULL;
}

static bool tell_mute(const struct judging *judging, const struct role *role, const char *value, json_t *findings) {
        const struct node *node;
        const json_t *check = NULL;
        if (role && value)
                check = find_mute(judging, role, value, &node);
        if (!check)
                return false;
        auto_free char *what = xasprintf("%s: %s", judging->role->name, judging->agreement->name);
        auto_free char *evidence = xasprintf("that is not known: %s, %s: %s", node->name, member_text(check, "name"),
                                             member_text(check, "evidence"));
        add_finding(findings, what, evidence, "the service does not say it: its log, memory and disk on the node",
                    false);
        return true;
}

// Whoever does not answer a question about what may be wrong is not taken for one with whom all is well.
static void tell_unknown(const struct judging *judging, json_t *findings) {
        const struct agreement *agreement = judging->agreement;
        const struct role *other = cluster_find_role(judging->cluster, text_or(agreement->nodes_of, ""));
        (void)(tell_mute(judging, judging->role, agreement->value, findings) ||
               tell_mute(judging, judging->role, agreement->where, findings) ||
               tell_mute(judging, other, agreement->says, findings));
}

// Nobody says anything of it.
static void judge_silence(const struct judging *judging, json_t *agreements, json_t *findings) {
        add_agreement(judging, AGREED_UNKNOWN, "no node says anything of it", agreements);
        if (needs_no_value(judging) || !any_answers(judging))
                return;
        auto_free char *evidence = xasprintf("the nodes answer, and none of them says %s", judging->agreement->value);
        tell(judging, evidence, findings);
}

static enum agreed judge_said(const struct judging *judging, json_t *agreements, json_t *findings) {
        auto_buf evidence = { 0 };
        enum agreed agreed = kinds[judging->agreement->kind].judge(judging, &evidence);
        append_values(&judging->said, &evidence);
        if (judging->said.count == 0)
                buf_append_text(&evidence, "the lists are empty");
        add_agreement(judging, agreed, buf_text(&evidence), agreements);
        if (agreed == AGREED_NO)
                tell(judging, buf_text(&evidence), findings);
        return agreed;
}

void agreements_judge(const struct cluster *cluster, const struct role *role, const json_t *nodes, json_t *agreements,
                      json_t *findings, bool *ret_serious) {
        assert(cluster && role && ret_serious);
        for (size_t i = 0; i < role->agreement_count; i++) {
                struct judging judging = { cluster, role, &role->agreements[i], nodes, { 0 } };
                judging.said = said_collect(cluster, role, nodes, judging.agreement->value);
                bool is_said =
                    judging.said.count > 0 || (judging.said.node_count > 0 && kinds[judging.agreement->kind].is_list);
                enum agreed agreed = AGREED_UNKNOWN;
                if (is_said)
                        agreed = judge_said(&judging, agreements, findings);
                else
                        judge_silence(&judging, agreements, findings);
                if (agreed == AGREED_UNKNOWN)
                        tell_unknown(&judging, findings);
                if (agreed != AGREED_YES && judging.agreement->serious)
                        *ret_serious = true;
                said_release(&judging.said);
        }
}
