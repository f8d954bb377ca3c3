// SPDX-License-Identifier: MIT
// kiln plan, and kiln build --dry-run.
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_member.h"
#include "base/progress.h"
#include "build/build_plan.h"
#include "verbs/build_request.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

enum {
        EXIT_CHANGES = 1,
        PACKAGES_SHOWN = 12,
        REASONS_SHOWN = 3,
        CHANGES_SHOWN = 40,
        STATE_COLUMN = 30,
        WHY_COLUMN = 9
};
enum { KILOBYTE = 1000, MEGABYTE = 1000 * KILOBYTE, GIGABYTE = 1000 * MEGABYTE };

// ---- for people ----

static void append_size(struct buf *to, json_int_t bytes) {
        static const struct {
                json_int_t bytes;
                const char *name;
        } units[] = { { GIGABYTE, "GB" }, { MEGABYTE, "MB" }, { KILOBYTE, "kB" } };
        for (size_t i = 0; i < lengthof(units); i++) {
                if (bytes < units[i].bytes)
                        continue;
                buf_printf(to, "%.1f %s", (double)bytes / (double)units[i].bytes, units[i].name);
                return;
        }
        buf_printf(to, "%lld B", (long long)bytes);
}

static void plan_append_head(struct buf *to, const json_t *plan) {
        const char *part = "";
        if (json_is_true(json_object_get(plan, "partial")))
                part = ", a part that `current` never names";
        buf_printf(to, "cluster %s: ", member_text(plan, "cluster"));
        if (json_is_true(json_object_get(plan, "new")))
                buf_printf(to, "build %s would be made%s\n", member_text(plan, "build"), part);
        else if (json_is_true(json_object_get(plan, "becomes_current")))
                buf_printf(to, "build %s is there already, and would become current\n", member_text(plan, "build"));
        else
                buf_printf(to, "nothing to do: build %s is there already%s\n", member_text(plan, "build"), part);
}

static void append_changes(struct buf *to, const json_t *plan) {
        const json_t *changes = json_object_get(plan, "changes"), *change;
        const char *before = json_string_value(json_object_get(plan, "before"));
        size_t index;
        if (!json_is_true(json_object_get(plan, "new")))
                return;
        if (!before)
                buf_append_text(to, "\nno build of this cluster to compare with\n");
        else if (!json_is_true(json_object_get(plan, "before_is_known")))
                buf_printf(to, "\nof build %s it is not noted here what it was made from\n", before);
        else if (json_array_size(changes) == 0)
                buf_printf(to, "\nnothing that is noted differs from build %s\n", before);
        else
                buf_printf(to, "\ndifferent from build %s:\n", before);
        json_array_foreach(changes, index, change) {
                if (index < CHANGES_SHOWN)
                        buf_printf(to, "  %s\n", json_string_value(change));
        }
        if (json_array_size(changes) > CHANGES_SHOWN)
                buf_printf(to, "  and %zu more (--json has all)\n", json_array_size(changes) - CHANGES_SHOWN);
}

static void append_package(struct buf *to, const json_t *package) {
        buf_printf(to, "  %s  ", member_text(package, "nevra"));
        append_size(to, member_number(package, "bytes"));
        buf_printf(to, "  %s", member_text(package, "repository"));
        if (strcmp(member_text(package, "from"), "network") != 0)
                buf_append_text(to, ", which is on this machine");
        if (json_is_true(json_object_get(package, "damaged")))
                buf_append_text(to, "; what the cache has of it is damaged");
        buf_append_char(to, '\n');
}

static void append_downloads(struct buf *to, const json_t *plan) {
        const json_t *downloads = json_object_get(plan, "downloads"), *package;
        size_t index, count = json_array_size(downloads);
        if (count == 0)
                return;
        buf_printf(to, "\n%zu packages are not in the cache: ", count);
        append_size(to, member_number(plan, "download_bytes"));
        buf_append_text(to, " to download");
        if (member_number(plan, "copy_bytes") > 0) {
                buf_append_text(to, ", ");
                append_size(to, member_number(plan, "copy_bytes"));
                buf_append_text(to, " to copy");
        }
        buf_append_char(to, '\n');
        json_array_foreach(downloads, index, package) {
                if (index < PACKAGES_SHOWN)
                        append_package(to, package);
        }
        if (count > PACKAGES_SHOWN)
                buf_printf(to, "  and %zu more (--json has all)\n", count - PACKAGES_SHOWN);
}

// Behind the state, in a column of its own.
static void plan_append_why(struct buf *to, const json_t *step, size_t state_length) {
        const json_t *why = json_object_get(step, "why"), *reason;
        size_t index;
        if (json_array_size(why) > 0)
                buf_printf(to, "%*s", (int)(WHY_COLUMN - state_length), "");
        json_array_foreach(why, index, reason) {
                if (index >= REASONS_SHOWN)
                        break;
                buf_printf(to, "%s%s", index > 0 ? "; " : "", json_string_value(reason));
        }
        if (json_array_size(why) > REASONS_SHOWN)
                buf_printf(to, "; and %zu more", json_array_size(why) - REASONS_SHOWN);
        if (json_object_get(step, "last_ms"))
                buf_printf(to, " (%.1f s the last time)", (double)member_number(step, "last_ms") / 1000);
}

static void append_steps(struct buf *to, const json_t *plan) {
        const json_t *steps = json_object_get(plan, "steps"), *step;
        size_t index, made = 0, unknown = 0;
        if (json_array_size(steps) == 0)
                return;
        buf_append_char(to, '\n');
        json_array_foreach(steps, index, step) {
                const char *state = member_text(step, "state");
                made += strcmp(state, "make") == 0;
                unknown += strcmp(state, "unknown") == 0;
                buf_printf(to, "%-*s %s", STATE_COLUMN, member_text(step, "step"), state);
                plan_append_why(to, step, strlen(state));
                buf_append_char(to, '\n');
        }
        buf_printf(to, "\nmade: %zu of %zu steps", made, json_array_size(steps));
        if (unknown > 0)
                buf_printf(to, ", and %zu that nobody knows yet", unknown);
        if (member_number(plan, "metadata_bytes") > 0) {
                buf_append_text(to, "; metadata to download: ");
                append_size(to, member_number(plan, "metadata_bytes"));
        }
        buf_append_char(to, '\n');
}

static void print_plan(const json_t *plan, struct buf *to) {
        plan_append_head(to, plan);
        append_changes(to, plan);
        append_downloads(to, plan);
        append_steps(to, plan);
        const char *remote = json_string_value(json_object_get(plan, "remote"));
        if (remote)
                buf_printf(to, "--remote %s is not asked: what it has is loaded instead of made\n", remote);
}

// ---- the verb ----

static void warn_of_offline(const struct options *options, const json_t *plan) {
        if (options->offline && member_number(plan, "download_bytes") > 0)
                warning("--offline forbids a build to download what the cache lacks: it would fail");
}

static bool answer_plan(const struct options *options, const json_t *plan, struct err *err) {
        if (options->json)
                return answer_give(json_copy((json_t *)plan), err);
        return print_answer(plan, false, 0, print_plan, err);
}

static bool plan_requested(const struct options *options, struct build_request *request, struct err *err) {
        json_t *plan = NULL;
        if (!build_plan_make(request->cluster, &request->build, &plan, err))
                return false;
        (void)json_object_set_new(plan, "remote", options->remote ? json_string(options->remote) : json_null());
        warn_of_offline(options, plan);
        bool changes =
            json_is_true(json_object_get(plan, "new")) || json_is_true(json_object_get(plan, "becomes_current"));
        bool ok = answer_plan(options, plan, err);
        json_decref(plan);
        if (ok && options->exit_code && changes)
                return fail_with_answer(err, EXIT_CHANGES);
        return ok;
}

bool verb_plan(const struct options *options, struct err *err) {
        struct build_request request = { 0 };
        bool ok = build_request_load(&request, options, err);
        if (ok)
                show_warnings(request.cluster);
        ok = ok && build_request_open(&request, options, err) && plan_requested(options, &request, err);
        build_request_release(&request);
        return ok;
}
