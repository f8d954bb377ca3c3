// SPDX-License-Identifier: MIT
// Which nodes go next. The plan that is shown and the steps that are done come from one function: the plan asks it
// again and again about the cluster as it is now, a rollout about the cluster as it is then.
#include <string.h>

#include "base/json_member.h"
#include "rollout/internal.h"

// ---- one step ----

static bool has_pending(const struct role *role, const bool *is_pending) {
        for (size_t i = 0; i < role->node_count; i++)
                if (is_pending[role->nodes[i]])
                        return true;
        return false;
}

// In the inventory's order where roles say the same.
static const struct role *next_role(const struct cluster *cluster, const bool *is_pending) {
        const struct role *found = NULL;
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                bool is_earlier = !found || role->rollout.order < found->rollout.order;
                if (is_earlier && has_pending(role, is_pending))
                        found = role;
        }
        return found;
}

// Nodes that are known to be unhealthy first, so that they are whole when the next one goes; then those that lead in
// nothing. A leader of several things goes with the last of them.
enum { RANK_FORCED, RANK_FOLLOWER, RANK_LEADER };

static size_t rank_of(const struct rollout *rollout, const struct role *role, const struct rollout_role *known,
                      const struct node *node) {
        if (rollout_is_forced(rollout, node))
                return RANK_FORCED;
        for (size_t i = role->rollout.lead_count; i > 0; i--)
                if (known->leaders[i - 1] == node)
                        return RANK_LEADER + i - 1;
        return RANK_FOLLOWER;
}

static size_t lowest_rank(const struct rollout *rollout, const struct role *role, const struct rollout_role *known,
                          const bool *is_pending) {
        size_t lowest = SIZE_MAX;
        for (size_t i = 0; i < role->node_count; i++) {
                const struct node *node = &rollout->cluster->nodes[role->nodes[i]];
                if (is_pending[role->nodes[i]])
                        lowest = size_min(lowest, rank_of(rollout, role, known, node));
        }
        return lowest;
}

// So many may be away without the role being in need.
static size_t spare_of_role(const struct rollout *rollout, const struct role *role) {
        const json_t *seen = json_object_get(json_object_get(rollout->status, "roles"), role->name);
        if (!seen)
                return SIZE_MAX; // nothing is asked of it
        return (size_t)member_number(seen, "spare");
}

static size_t largest_batch(const struct rollout *rollout, const struct role *role, size_t rank) {
        bool votes = cluster_ensemble_of(rollout->cluster, role)->ensemble;
        if (votes || rank != RANK_FOLLOWER)
                return 1;
        return size_max(1, size_min((size_t)role->rollout.batch, spare_of_role(rollout, role)));
}

static bool refuse_batch(const struct role *role, const char *why, struct err *err) {
        fail(err, ERR_ROLLOUT, 0, "role %s: what runs on any node that is left does not fit on the others: %s",
             role->name, why);
        return hint(err, "scale something down, or add a machine; then begin again");
}

// Those that fit together, in the inventory's order.
static bool fill_batch(struct rollout *rollout, const struct rollout_role *known, const bool *is_pending, size_t rank,
                       struct rollout_step *step, struct err *err) {
        const struct role *role = step->role;
        size_t most = largest_batch(rollout, role, rank);
        auto_buf first_why = { 0 };
        step->nodes = arena_alloc(&rollout->arena, (size_min(most, role->node_count) + 1) * sizeof *step->nodes);
        for (size_t i = 0; i < role->node_count && step->count < most; i++) {
                auto_buf why = { 0 };
                size_t index = role->nodes[i];
                bool is_next =
                    is_pending[index] && rank_of(rollout, role, known, &rollout->cluster->nodes[index]) == rank;
                if (!is_next)
                        continue;
                step->nodes[step->count] = index;
                if (rollout_fits(role, known, step->nodes, step->count + 1, &why))
                        step->count++;
                else if (first_why.size == 0)
                        buf_printf(&first_why, "%s: %s", rollout->cluster->nodes[index].name, buf_text(&why));
        }
        return step->count > 0 || refuse_batch(role, buf_text(&first_why), err);
}

bool rollout_next_step(struct rollout *rollout, const bool *is_pending, struct rollout_step *ret, struct err *err) {
        struct rollout_step step = { .role = next_role(rollout->cluster, is_pending) };
        struct rollout_role *known = NULL;
        if (!step.role) {
                *ret = step;
                return true;
        }
        if (!rollout_know_role(rollout, step.role, &known, err))
                return false;
        size_t rank = lowest_rank(rollout, step.role, known, is_pending);
        if (!fill_batch(rollout, known, is_pending, rank, &step, err))
                return false;
        *ret = step;
        return true;
}

// ---- the plan ----

static json_t *leads_of_step(struct rollout *rollout, const struct rollout_step *step) {
        const struct rollout_role *known = &rollout->roles[step->role - rollout->cluster->roles];
        json_t *leads = json_array();
        for (size_t i = 0; i < step->role->rollout.lead_count; i++)
                for (size_t j = 0; j < step->count; j++)
                        if (known->leaders[i] == &rollout->cluster->nodes[step->nodes[j]])
                                json_array_append_new(leads, json_string(step->role->rollout.leads[i].name));
        return leads;
}

static const char *change_of_node(const struct rollout *rollout, const char *name) {
        return member_text(json_object_get(rollout->changes, name), "change");
}

static json_t *describe_step(struct rollout *rollout, const struct rollout_step *step) {
        json_t *nodes = json_array(), *changes = json_array(), *drain = json_array();
        for (size_t i = 0; i < step->count; i++) {
                const char *name = rollout->cluster->nodes[step->nodes[i]].name;
                json_array_append_new(nodes, json_string(name));
                json_array_append_new(changes, json_string(change_of_node(rollout, name)));
        }
        for (size_t i = 0; i < step->role->rollout.drain_count; i++)
                json_array_append_new(drain, json_string(step->role->rollout.drain[i].name));
        return json_pack("{ss so so so sb ss so}", "role", step->role->name, "nodes", nodes, "changes", changes,
                         "leads", leads_of_step(rollout, step), "alone", step->role->node_count == 1, "reboot",
                         rollout_reboot_names[rollout_means(rollout, step->role)], "drain", drain);
}

static const char *why_skipped(const struct rollout *rollout, const struct node *node) {
        const struct strings *only = rollout->options->only;
        const char *change = change_of_node(rollout, node->name);
        if (only && only->count > 0 && !strings_have(only, node->name))
                return "--only names others";
        if (!*change)
                return "the build does not know it";
        if (strcmp(change, "nothing") == 0)
                return "nothing changes";
        return "it is done already";
}

static json_t *describe_skipped(const struct rollout *rollout) {
        json_t *skipped = json_array();
        for (size_t i = 0; i < rollout->cluster->node_count; i++) {
                const struct node *node = &rollout->cluster->nodes[i];
                if (!rollout->is_pending[i])
                        json_array_append_new(
                            skipped, json_pack("{ss ss}", "node", node->name, "why", why_skipped(rollout, node)));
        }
        return skipped;
}

static json_t *describe_steps(struct rollout *rollout, struct err *err) {
        size_t count = rollout->cluster->node_count;
        json_t *steps = json_array();
        auto_free bool *left = xcalloc(count + 1, sizeof *left);
        memcpy(left, rollout->is_pending, count * sizeof *left);
        for (;;) {
                struct rollout_step step;
                if (!rollout_next_step(rollout, left, &step, err) || step.count == 0)
                        return steps;
                json_array_append_new(steps, describe_step(rollout, &step));
                for (size_t i = 0; i < step.count; i++)
                        left[step.nodes[i]] = false;
        }
}

static void note_problem(json_t *problems, const char *text) { json_array_append_new(problems, json_string(text)); }

bool rollout_describe(struct rollout *rollout, json_t **ret, struct err *err) {
        json_t *problems = json_array();
        auto_buf why = { 0 };
        auto_err refused = { 0 };
        rollout_judge(rollout, NULL, &why);
        if (why.size > 0)
                note_problem(problems, buf_text(&why));
        json_t *steps = describe_steps(rollout, &refused);
        bool goes_on = refused.kind == ERR_NONE || refused.kind == ERR_ROLLOUT;
        if (refused.kind == ERR_ROLLOUT)
                note_problem(problems, refused.text);
        json_t *plan =
            json_pack("{si ss ss ss ss sb so so so}", "format", 1, "cluster", rollout->cluster->name, "from",
                      rollout->from, "to", rollout->to, "state", status_state_name(rollout->state), "current",
                      rollout->is_current, "steps", steps, "skipped", describe_skipped(rollout), "problems", problems);
        if (goes_on && plan)
                *ret = plan;
        else
                json_decref(plan);
        return (goes_on && plan) || fail(err, refused.kind, 0, "%s", text_or(refused.text, "a plan that is no UTF-8"));
}
