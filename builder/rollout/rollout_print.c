// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/json_member.h"
#include "rollout/rollout.h"

enum { NAMES_SHOWN = 6 };

// "a, b, c and 47 more"
static void append_some_names(const json_t *names, struct buf *ret) {
        size_t count = json_array_size(names);
        size_t shown = size_min(count, NAMES_SHOWN);
        for (size_t i = 0; i < shown; i++) {
                if (i > 0)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, text_or(json_string_value(json_array_get(names, i)), ""));
        }
        if (count > shown)
                buf_printf(ret, " and %zu more", count - shown);
}

// The texts of a list, each once.
static json_t *distinct(const json_t *list) {
        json_t *found = json_object(), *names = json_array(), *item;
        size_t i;
        const char *name;
        json_array_foreach(list, i, item) {
                const char *text = text_or(json_string_value(item), "");
                if (json_object_get(found, text))
                        continue;
                (void)!json_object_set_new(found, text, json_true());
        }
        json_object_foreach(found, name, item) json_array_append_new(names, json_string(name));
        json_decref(found);
        return names;
}

static void append_step(const json_t *step, size_t number, struct buf *ret) {
        json_t *changes = distinct(json_object_get(step, "changes"));
        const json_t *leads = json_object_get(step, "leads"), *drain = json_object_get(step, "drain");
        buf_printf(ret, "%4zu  %-12s ", number, member_text(step, "role"));
        append_some_names(json_object_get(step, "nodes"), ret);
        buf_append_text(ret, ": ");
        append_some_names(changes, ret);
        if (json_array_size(leads) > 0) {
                buf_append_text(ret, "; leads in ");
                append_some_names(leads, ret);
        }
        if (json_array_size(drain) > 0) {
                buf_append_text(ret, "; first: ");
                append_some_names(drain, ret);
        }
        if (json_is_true(json_object_get(step, "alone")))
                buf_append_text(ret, "; its role has no other node, and is away meanwhile");
        if (strcmp(member_text(step, "reboot"), "ssh") != 0)
                buf_printf(ret, "; by %s", member_text(step, "reboot"));
        buf_append_char(ret, '\n');
        json_decref(changes);
}

// Nodes that are left out for one reason, on a line.
static void append_skipped(const json_t *skipped, struct buf *ret) {
        json_t *reasons = json_object(), *item, *names;
        size_t i;
        const char *why;
        json_array_foreach(skipped, i, item) {
                const char *reason = member_text(item, "why");
                if (!json_object_get(reasons, reason))
                        (void)!json_object_set_new(reasons, reason, json_array());
                json_array_append_new(json_object_get(reasons, reason), json_string(member_text(item, "node")));
        }
        json_object_foreach(reasons, why, names) {
                buf_printf(ret, "left out, %s: ", why);
                append_some_names(names, ret);
                buf_append_char(ret, '\n');
        }
        json_decref(reasons);
}

void rollout_plan_print(const json_t *plan, struct buf *ret) {
        const json_t *steps = json_object_get(plan, "steps"), *problems = json_object_get(plan, "problems");
        size_t i, nodes = 0;
        json_t *item;
        json_array_foreach(steps, i, item) nodes += json_array_size(json_object_get(item, "nodes"));
        buf_printf(ret, "%s from %s to %s: nodes that boot again: %zu, steps: %zu; the cluster is %s\n",
                   member_text(plan, "cluster"), member_text(plan, "from"), member_text(plan, "to"), nodes,
                   json_array_size(steps), member_text(plan, "state"));
        if (!json_is_true(json_object_get(plan, "current")))
                buf_printf(ret, "   0  kiln publish %s: `current` is another build\n", member_text(plan, "to"));
        json_array_foreach(steps, i, item) append_step(item, i + 1, ret);
        append_skipped(json_object_get(plan, "skipped"), ret);
        json_array_foreach(problems, i, item)
            buf_printf(ret, "cannot go on: %s\n", text_or(json_string_value(item), ""));
        if (json_array_size(problems) == 0 && nodes > 0)
                buf_append_text(ret, "nothing was done: --go does it\n");
}
