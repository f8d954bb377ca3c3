// SPDX-License-Identifier: MIT
// The gate: before and after each step the cluster is whole.
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/progress.h"
#include "rollout/internal.h"
#include "serve/serve.h"
#include "status/answer.h"
#include "status/probe.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 3000, SLICE_MS = 100 };

// ---- pauses ----

struct rollout_pause rollout_pause_begin(int64_t timeout_s) {
        int64_t now_ms = monotonic_ms();
        return (struct rollout_pause){ now_ms + timeout_s * 1000, now_ms, FIRST_PAUSE_MS };
}

bool rollout_pause(struct rollout_pause *pause, bool *ret_over, struct err *err) {
        int64_t now_ms = monotonic_ms(), left_ms = pause->until_ms - now_ms, pause_ms = now_ms - pause->look_began_ms;
        if (pause_ms < pause->next_ms)
                pause_ms = pause->next_ms;
        *ret_over = left_ms <= 0;
        for (int64_t waited_ms = 0; waited_ms < left_ms && waited_ms < pause_ms; waited_ms += SLICE_MS) {
                if (!interrupt_check(err))
                        return false;
                usleep(SLICE_MS * 1000);
        }
        pause->next_ms = (unsigned)size_min(pause->next_ms * 2, LONGEST_PAUSE_MS);
        pause->look_began_ms = monotonic_ms();
        return interrupt_check(err);
}

// ---- health ----

static bool is_in_step(const struct rollout *rollout, const struct rollout_step *step, const struct node *node) {
        for (size_t i = 0; step && i < step->count; i++)
                if (&rollout->cluster->nodes[step->nodes[i]] == node)
                        return true;
        return false;
}

static void append_gate_reason(struct buf *ret, const char *what, const char *evidence) {
        if (ret->size > 0)
                buf_append_text(ret, "; ");
        buf_printf(ret, "%s: %s", what, evidence);
}

static const json_t *failed_check(const json_t *target) {
        size_t i;
        json_t *check;
        json_array_foreach(json_object_get(target, "checks"), i, check) {
                if (!json_is_true(json_object_get(check, "ok")))
                        return check;
        }
        return NULL;
}

static void judge_target(const char *name, const json_t *target, struct buf *ret_why) {
        const json_t *check = failed_check(target);
        auto_free char *what = xasprintf("%s, %s", name, member_text(check, "name"));
        append_gate_reason(ret_why, what, member_text(check, "evidence"));
}

// `*ret_excused`: one is unhealthy that may be.
static void judge_nodes(const struct rollout *rollout, const struct rollout_step *step, bool *ret_excused,
                        struct buf *ret_why) {
        const char *name;
        json_t *target;
        json_object_foreach(json_object_get(rollout->status, "nodes"), name, target) {
                const struct node *node = cluster_find_node(rollout->cluster, name);
                if (json_is_true(json_object_get(target, "healthy")))
                        continue;
                bool is_excused = node && (rollout_is_forced(rollout, node) || is_in_step(rollout, step, node));
                if (is_excused)
                        *ret_excused = true;
                else
                        judge_target(name, target, ret_why);
        }
}

// What is not serious may be wrong while an excused node is away: it is missed in sums. What is serious is judged by
// its finding.
static void judge_agreements(const struct rollout *rollout, bool is_excused, struct buf *ret_why) {
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(rollout->status, "agreements"), i, item) {
                auto_free char *what = xasprintf("%s: %s", member_text(item, "role"), member_text(item, "name"));
                if (json_is_false(json_object_get(item, "ok")) && !is_excused)
                        append_gate_reason(ret_why, what, member_text(item, "evidence"));
        }
}

// Without which the cluster does not serve: an agreement, an address that two machines hold. Nobody is let off.
static void judge_serious(const struct rollout *rollout, struct buf *ret_why) {
        size_t i;
        json_t *finding;
        json_array_foreach(json_object_get(rollout->status, "findings"), i, finding) {
                const char *evidence = member_text(finding, "evidence");
                bool is_told = strstr(buf_text(ret_why), evidence) != NULL;
                if (json_is_true(json_object_get(finding, "serious")) && !is_told)
                        append_gate_reason(ret_why, member_text(finding, "what"), evidence);
        }
}

static void judge_addresses(const struct rollout *rollout, struct buf *ret_why) {
        const char *name;
        json_t *target;
        json_object_foreach(json_object_get(rollout->status, "vips"), name, target) {
                if (!json_is_true(json_object_get(target, "healthy")))
                        judge_target(name, target, ret_why);
        }
}

void rollout_judge(const struct rollout *rollout, const struct rollout_step *step, struct buf *ret_why) {
        bool is_excused = step && step->count > 0; // a drained node may be whole and not be counted
        if (rollout->state == STATUS_UNKNOWN) {
                append_gate_reason(ret_why, "the cluster", "nothing of it answers");
                return;
        }
        judge_nodes(rollout, step, &is_excused, ret_why);
        judge_agreements(rollout, is_excused, ret_why);
        judge_addresses(rollout, ret_why);
        judge_serious(rollout, ret_why);
}

// A machine that has a slot may boot at any moment. kiln serve gives none while a rollout has its lock, so that what is
// seen here after the lock was taken is all that there is.
static bool judge_slots(const struct rollout *rollout, struct buf *ret_why, struct err *err) {
        const char *group;
        json_t *found = NULL, *slot;
        if (!serve_fleet_slots(rollout->options->serve_state, rollout->cluster->name, &found, err))
                return false;
        json_object_foreach(found, group, slot) {
                auto_free char *what = xasprintf("FleetLock, group %s", group);
                auto_free char *why = xasprintf("%s has its slot", member_text(slot, "id"));
                append_gate_reason(ret_why, what, why);
        }
        json_decref(found);
        return true;
}

bool rollout_wait_gate(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        struct rollout_pause pause = rollout_pause_begin(rollout->options->timeout_s);
        for (;;) {
                auto_buf why = { 0 };
                bool is_over = false;
                if (!rollout_look(rollout, err))
                        return false;
                rollout_judge(rollout, step, &why);
                if (!judge_slots(rollout, &why, err))
                        return false;
                if (why.size == 0)
                        return true;
                if (!rollout_pause(&pause, &is_over, err))
                        return false;
                if (is_over)
                        return fail(err, ERR_ROLLOUT, 0, "the cluster is not whole after %jd s: %s",
                                    (intmax_t)rollout->options->timeout_s, buf_text(&why));
        }
}

// ---- before a step ----

static bool judge_condition(struct rollout *rollout, const struct rollout_condition *condition, const struct node *node,
                            struct buf *ret_why, struct err *err) {
        struct health_value value = { .name = condition->name, .json = condition->json, .expect = condition->is };
        const struct health_check check = { .name = condition->name,
                                            .kind = HEALTH_HTTP,
                                            .path = condition->path,
                                            .port = condition->port,
                                            .values = &value,
                                            .value_count = 1 };
        struct probe probe = { .address = node->ip, .port = (uint16_t)condition->port, .is_http = true };
        auto_buf request = { 0 };
        json_t *values = json_object();
        (void)health_request(&check, node->name, &request);
        probe.request = buf_text(&request);
        probe.request_size = request.size;
        bool ok = probes_run(&probe, 1, rollout->options->deadline_ms, err);
        if (ok)
                health_judge(&check, &probe, values, ret_why);
        json_decref(values);
        probe_release(&probe);
        return ok;
}

static bool judge_before(struct rollout *rollout, const struct role *role, const struct node *node, struct buf *ret_why,
                         struct err *err) {
        for (size_t i = 0; i < role->rollout.before_count && ret_why->size == 0; i++) {
                const struct rollout_condition *condition = &role->rollout.before[i];
                struct node_list at;
                if (!rollout_at(rollout, condition->at, node, &at, err))
                        return false;
                for (size_t j = 0; j < at.count && ret_why->size == 0; j++)
                        if (!judge_condition(rollout, condition, at.items[j], ret_why, err))
                                return false;
        }
        return true;
}

bool rollout_wait_before(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        struct rollout_pause pause = rollout_pause_begin(rollout->options->timeout_s);
        for (;;) {
                auto_buf why = { 0 };
                bool is_over = false;
                const struct node *node = &rollout->cluster->nodes[step->nodes[0]];
                if (!judge_before(rollout, step->role, node, &why, err))
                        return false;
                if (why.size == 0)
                        return true;
                if (!rollout_pause(&pause, &is_over, err))
                        return false;
                if (is_over)
                        return fail(err, ERR_ROLLOUT, 0, "%s may not be touched, after %jd s: %s", node->name,
                                    (intmax_t)rollout->options->timeout_s, buf_text(&why));
        }
}
