// SPDX-License-Identifier: MIT
#include "diff/running_diff.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "diff/build_diff.h"

enum { NODES_SHOWN = 4, MEGABYTE = 1000000 };

struct run_comparison {
        const char *to, *cluster; // whose builds machines run
        running_find *find;
        void *context;
        json_t *machines; // of the state, by their names; borrowed
        json_t *diffs;    // by the id of the build that runs: the comparison, or a text that says why there is none
        json_t *base;     // the build compared with itself: its nodes
};

// ---- what each machine runs ----

// It runs what it has loaded; what it loads now, before its root is there, is what it will run.
static const char *build_of_machine(const json_t *machine) { return member_text(machine, "build"); }

static bool index_state(struct run_comparison *comparison, const json_t *state, struct err *err) {
        const json_t *machines = json_object_get(state, "machines");
        json_t *machine;
        size_t i;
        if (!json_is_array(machines))
                return fail(err, ERR_CORRUPT, 0, "it has no list `machines`");
        json_array_foreach(machines, i, machine) {
                const char *name = member_text(machine, "name");
                if (*name)
                        (void)!json_object_set(comparison->machines, name, machine);
        }
        return true;
}

// ---- comparisons, one a build that runs ----

static bool add_comparison(struct run_comparison *comparison, const char *id, struct err *err) {
        auto_free char *path = NULL;
        auto_err unreadable = { 0 };
        json_t *diff = NULL;
        if (!comparison->find(comparison->context, comparison->cluster, id, &path, err))
                return false;
        if (!path)
                diff = json_sprintf("what it runs, build %s, is not there any more", id);
        else if (!build_diff(path, comparison->to, &diff, &unreadable))
                diff = json_sprintf("what it runs cannot be read: %s", unreadable.text);
        (void)!json_object_set_new(comparison->diffs, id, diff);
        return true;
}

static bool compare_running(struct run_comparison *comparison, struct err *err) {
        const char *name;
        json_t *machine;
        json_object_foreach(comparison->machines, name, machine) {
                const char *id = build_of_machine(machine);
                bool is_done = !*id || json_object_get(comparison->diffs, id);
                if (!is_done && !add_comparison(comparison, id, err))
                        return false;
        }
        return true;
}

// ---- nodes ----

static json_t *unknown_node(const json_t *role, const char *runs, const char *stage, const char *why) {
        if (!*runs)
                runs = NULL;
        return json_pack("{sO? ss? ss sn ss si s[s] s[]}", "role", role, "runs", runs, "stage", stage, "reboot",
                         "change", "unknown", "bytes", 0, "why", why, "files");
}

static json_t *running_node(const json_t *told, const char *runs, const char *stage) {
        const char *change = member_text(told, "change");
        json_t *node = json_copy((json_t *)told), *reboot = json_boolean(strcmp(change, "nothing") != 0);
        if (strcmp(change, "unknown") == 0) {
                json_decref(reboot);
                reboot = json_null();
        }
        (void)!json_object_set_new(node, "runs", json_string(runs));
        (void)!json_object_set_new(node, "stage", json_string(stage));
        (void)!json_object_set_new(node, "reboot", reboot);
        return node;
}

// A node that was asked itself may have said why it tells nothing.
static const char *why_unknown(const json_t *machine) {
        const char *why = member_text(machine, "why");
        if (*why)
                return why;
        return "kiln serve has not seen it load a build";
}

// `entry`: what the build says of the node; NULL: it has none such.
static json_t *node_that_runs(const struct run_comparison *comparison, const char *name, const json_t *entry) {
        const json_t *machine = json_object_get(comparison->machines, name), *role = json_object_get(entry, "role");
        const char *runs = build_of_machine(machine), *stage = member_text(machine, "stage");
        const json_t *diff = json_object_get(comparison->diffs, runs);
        const json_t *told = json_object_get(json_object_get(diff, "nodes"), name);
        if (!role)
                role = json_object_get(machine, "role");
        if (!*runs)
                return unknown_node(role, runs, stage, why_unknown(machine));
        if (json_is_string(diff))
                return unknown_node(role, runs, stage, json_string_value(diff));
        if (!told)
                return unknown_node(role, runs, stage, "neither build has it");
        return running_node(told, runs, stage);
}

static json_t *nodes_that_run(const struct run_comparison *comparison) {
        json_t *nodes = json_object(), *entry;
        const json_t *own = json_object_get(comparison->base, "nodes");
        const char *name;
        json_object_foreach((json_t *)own, name,
                            entry)(void) !json_object_set_new(nodes, name, node_that_runs(comparison, name, entry));
        json_object_foreach(comparison->machines, name, entry) {
                bool is_told = json_object_get(own, name) || !json_is_true(json_object_get(entry, "known"));
                if (!is_told)
                        (void)!json_object_set_new(nodes, name, node_that_runs(comparison, name, NULL));
        }
        return nodes;
}

// What a kiln before this one said has none: then it is the cluster of the build that is to run.
static const char *cluster_of(const json_t *state, const json_t *base) {
        const char *told = member_text(state, "cluster");
        if (*told)
                return told;
        return member_text(json_object_get(base, "to"), "cluster");
}

static json_t *sum_up(const struct run_comparison *comparison) {
        json_t *nodes = nodes_that_run(comparison), *node;
        int reboot = 0, unknown = 0;
        const char *name;
        json_object_foreach(nodes, name, node) {
                reboot += json_is_true(json_object_get(node, "reboot"));
                unknown += json_is_null(json_object_get(node, "reboot"));
        }
        return json_pack("{si sO si si so}", "format", 1, "to", json_object_get(comparison->base, "to"), "reboot",
                         reboot, "unknown", unknown, "nodes", nodes);
}

bool running_diff(const json_t *state, const char *to, running_find *find, void *context, json_t **ret,
                  struct err *err) {
        assert(to && find && ret);
        struct run_comparison comparison = {
                .to = to, .find = find, .context = context, .machines = json_object(), .diffs = json_object()
        };
        bool ok = index_state(&comparison, state, err) && build_diff(to, to, &comparison.base, err);
        if (ok)
                comparison.cluster = cluster_of(state, comparison.base);
        ok = ok && compare_running(&comparison, err);
        if (ok)
                *ret = sum_up(&comparison);
        json_decref(comparison.machines);
        json_decref(comparison.diffs);
        json_decref(comparison.base);
        return ok;
}

// ---- for people ----

// What is the same of two nodes is one line.
static void append_fate(const json_t *node, struct buf *ret) {
        json_t *reason;
        size_t i;
        const char *runs = member_text(node, "runs"), *separator = ": ";
        buf_printf(ret, "(%s)", member_text(node, "role"));
        if (*runs)
                buf_printf(ret, " runs %s", runs);
        buf_printf(ret, ", %s", member_text(node, "change"));
        if (member_number(node, "bytes") > 0)
                buf_printf(ret, ", %.1f MB", (double)member_number(node, "bytes") / MEGABYTE);
        json_array_foreach(json_object_get(node, "why"), i, reason) {
                buf_printf(ret, "%s%s", separator, text_or(json_string_value(reason), ""));
                separator = "; ";
        }
}

static void print_alike(const char *fate, const json_t *names, struct buf *ret) {
        json_t *name;
        size_t i, count = json_array_size(names);
        buf_append_text(ret, "  ");
        json_array_foreach(names, i, name) {
                if (i == NODES_SHOWN)
                        break;
                buf_printf(ret, "%s ", json_string_value(name));
        }
        if (count > NODES_SHOWN)
                buf_printf(ret, "and %zu more ", count - NODES_SHOWN);
        buf_printf(ret, "%s\n", fate);
}

// Those whose "reboot" is of one kind.
static void print_kind(const json_t *nodes, const char *only, json_type kind, const char *title, struct buf *ret) {
        json_t *alike = json_object(), *node, *names;
        const char *name, *fate;
        size_t count = 0;
        json_object_foreach((json_t *)nodes, name, node) {
                bool is_wanted = !only || strcmp(only, name) == 0;
                if (!is_wanted || json_typeof(json_object_get(node, "reboot")) != kind)
                        continue;
                auto_buf text = { 0 };
                append_fate(node, &text);
                names = json_object_get(alike, buf_text(&text));
                if (!names) {
                        names = json_array();
                        (void)!json_object_set_new(alike, buf_text(&text), names);
                }
                json_array_append_new(names, json_string(name));
                count++;
        }
        if (count > 0)
                buf_printf(ret, "%s (%zu):\n", title, count);
        json_object_foreach(alike, fate, names) print_alike(fate, names, ret);
        json_decref(alike);
}

void running_diff_print(const json_t *diff, const char *node, struct buf *ret) {
        assert(diff && ret);
        const json_t *to = json_object_get(diff, "to"), *nodes = json_object_get(diff, "nodes");
        buf_printf(ret, "%s: what runs -> %s\n", member_text(to, "cluster"), member_text(to, "build"));
        print_kind(nodes, node, JSON_TRUE, "to boot again", ret);
        print_kind(nodes, node, JSON_NULL, "unknown", ret);
        print_kind(nodes, node, JSON_FALSE, "as they are", ret);
}
