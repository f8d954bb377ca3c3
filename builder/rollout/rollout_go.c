// SPDX-License-Identifier: MIT
// Doing it. Each act stands in the journal before it begins. The nodes of a step that was begun are finished before any
// other is touched, whatever was killed in between: so no two members of an ensemble are ever down together.
#include <assert.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/progress.h"
#include "rollout/internal.h"

enum { LEAVES_WITHIN_S = 30 }; // after systemctl reboot

// ---- names and nodes ----

static size_t index_of_node(const struct rollout *rollout, const struct node *node) {
        return (size_t)(node - rollout->cluster->nodes);
}

static json_t *names_of_step(const struct rollout *rollout, const struct rollout_step *step) {
        json_t *names = json_array();
        for (size_t i = 0; i < step->count; i++)
                json_array_append_new(names, json_string(rollout->cluster->nodes[step->nodes[i]].name));
        return names;
}

static json_t *names_of_pending(const struct rollout *rollout) {
        json_t *names = json_array();
        for (size_t i = 0; i < rollout->cluster->node_count; i++)
                if (rollout->is_pending[i])
                        json_array_append_new(names, json_string(rollout->cluster->nodes[i].name));
        return names;
}

static bool note_nodes(struct rollout *rollout, const char *event, const struct rollout_step *step, struct err *err) {
        return rollout_journal_note(&rollout->journal,
                                    json_pack("{ss so}", "event", event, "nodes", names_of_step(rollout, step)), err);
}

static bool note_node(struct rollout *rollout, const char *event, const struct node *node, const char *boot_id,
                      struct err *err) {
        return rollout_journal_note(
            &rollout->journal, json_pack("{ss ss ss}", "event", event, "node", node->name, "boot_id", boot_id), err);
}

static bool note_end(struct rollout *rollout, const char *how, struct err *err) {
        return rollout_journal_note(&rollout->journal, json_pack("{ss ss}", "event", "end", "how", how), err);
}

// ---- one node ----

// A boot's id that differs is another boot. Of a node that did not answer before it was made to boot, any is.
static bool is_new_boot(const char *before, const struct running *now) {
        return !*before || strcmp(before, now->boot_id) != 0;
}

static bool refuse_other_build(const struct rollout *rollout, const struct node *node, const struct running *now,
                               struct err *err) {
        fail(err, ERR_ROLLOUT, 0, "%s booted build %s, not %s", node->name, text_or(now->build, "?"), rollout->to);
        return hint(err,
                    "what does its boot loader load? `current` of the builds is what kiln serve and pxe/ give out");
}

static bool refuse_lost_node(const struct rollout *rollout, const struct node *node, bool answers, struct err *err) {
        intmax_t timeout_s = (intmax_t)rollout->options->timeout_s;
        if (answers)
                fail(err, ERR_ROLLOUT, 0, "%s was to boot again, and did not in %jd s", node->name, timeout_s);
        else
                fail(err, ERR_ROLLOUT, 0, "%s does not answer by ssh, after %jd s", node->name, timeout_s);
        return hint(err, "look at its console; then kiln rollout --resume, --abort or --back");
}

static bool wait_for_boot(struct rollout *rollout, const struct node *node, const char *before, struct err *err) {
        struct rollout_pause pause = rollout_pause_begin(rollout->options->timeout_s);
        for (;;) {
                struct running now;
                bool answers = false, is_over = false;
                remote_forget(rollout, node); // its host key goes with its boot
                if (!remote_running(rollout, node, &now, &answers, err))
                        return false;
                bool is_back = answers && is_new_boot(before, &now);
                if (is_back && strcmp(now.build, rollout->to) == 0)
                        return true;
                bool has_said = is_back && *now.build; // kiln-node's report comes a moment after the network
                if (has_said && *before)
                        return refuse_other_build(rollout, node, &now, err);
                if (!rollout_pause(&pause, &is_over, err))
                        return false;
                if (is_over)
                        return refuse_lost_node(rollout, node, answers, err);
        }
}

static bool runs_wanted(const struct rollout *rollout, const struct node *node, const struct running *now) {
        const char *leaving = text_or(json_string_value(json_object_get(rollout->journal.boot_ids, node->name)), "");
        bool may_leave = *leaving && strcmp(leaving, now->boot_id) == 0; // it was told to boot, and has not yet
        return !may_leave && strcmp(now->build, rollout->to) == 0;
}

static bool wait_for_answer(struct rollout *rollout, const struct node *node, struct running *ret, struct err *err) {
        struct rollout_pause pause = rollout_pause_begin(rollout->options->timeout_s);
        for (;;) {
                bool answers = false, is_over = false;
                remote_forget(rollout, node);
                if (!remote_running(rollout, node, ret, &answers, err))
                        return false;
                if (answers)
                        return true;
                if (!rollout_pause(&pause, &is_over, err))
                        return false;
                if (is_over)
                        return refuse_lost_node(rollout, node, false, err);
        }
}

// What runs on a node before it is touched. One that is only reached by ssh must answer: it may be booting.
static bool read_before(struct rollout *rollout, const struct node *node, enum rollout_reboot means,
                        struct running *ret, struct err *err) {
        bool answers = false;
        if (means == ROLLOUT_SSH)
                return wait_for_answer(rollout, node, ret, err);
        return remote_running(rollout, node, ret, &answers, err);
}

static bool reboot_node(struct rollout *rollout, const struct node *node, enum rollout_reboot means,
                        const struct running *before, struct err *err) {
        if (!note_node(rollout, "reboot", node, before->boot_id, err))
                return false;
        notice("%s boots again", node->name);
        return remote_reboot(rollout, node, means, err);
}

// Of one step, what ran on its nodes before.
struct step_before {
        struct running *running;
        bool *is_done; // it runs what it shall
};

static bool read_step(struct rollout *rollout, const struct rollout_step *step, struct step_before *ret,
                      struct err *err) {
        enum rollout_reboot means = rollout_means(rollout, step->role);
        ret->running = arena_alloc(&rollout->arena, (step->count + 1) * sizeof *ret->running);
        ret->is_done = arena_alloc(&rollout->arena, step->count + 1);
        for (size_t i = 0; i < step->count; i++) {
                const struct node *node = &rollout->cluster->nodes[step->nodes[i]];
                if (!read_before(rollout, node, means, &ret->running[i], err))
                        return false;
                ret->is_done[i] = runs_wanted(rollout, node, &ret->running[i]);
                if (ret->is_done[i])
                        notice("%s runs %s", node->name, rollout->to);
        }
        return true;
}

static bool reboot_step(struct rollout *rollout, const struct rollout_step *step, const struct step_before *before,
                        struct err *err) {
        enum rollout_reboot means = rollout_means(rollout, step->role);
        for (size_t i = 0; i < step->count; i++) {
                const struct node *node = &rollout->cluster->nodes[step->nodes[i]];
                if (!before->is_done[i] && !reboot_node(rollout, node, means, &before->running[i], err))
                        return false;
        }
        for (size_t i = 0; i < step->count; i++) {
                const struct node *node = &rollout->cluster->nodes[step->nodes[i]];
                if (!before->is_done[i] && !wait_for_boot(rollout, node, before->running[i].boot_id, err))
                        return false;
                if (!note_node(rollout, "back", node, "", err))
                        return false;
        }
        return true;
}

// ---- one step ----

// However a node was excused, an ensemble of which a member is away loses no other.
static bool check_voters(const struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        const struct role *ensemble = cluster_ensemble_of(rollout->cluster, step->role);
        const struct node *going = &rollout->cluster->nodes[step->nodes[0]];
        size_t count = 0;
        if (!ensemble->ensemble)
                return true;
        auto_free size_t *members = cluster_members(rollout->cluster, ensemble->name, &count);
        for (size_t i = 0; i < count; i++) {
                const struct node *node = &rollout->cluster->nodes[members[i]];
                const json_t *seen = json_object_get(json_object_get(rollout->status, "nodes"), node->name);
                bool is_away = seen && !json_is_true(json_object_get(seen, "healthy"));
                if (is_away && node != going)
                        return fail(err, ERR_ROLLOUT, 0, "%s may not be touched: %s, which votes with it, is away",
                                    going->name, node->name);
        }
        return true;
}

static bool may_change(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        return check_voters(rollout, step, err) && rollout_wait_before(rollout, step, err);
}

static bool has_drain(const struct rollout_step *step) {
        return step->role->rollout.drain_count + step->role->rollout.undrain_count > 0;
}

// Those that do not run the build yet.
static struct rollout_step undone_part(struct rollout *rollout, const struct rollout_step *step,
                                       const struct step_before *before) {
        struct rollout_step part = { .role = step->role };
        part.nodes = arena_alloc(&rollout->arena, (step->count + 1) * sizeof *part.nodes);
        for (size_t i = 0; i < step->count; i++)
                if (!before->is_done[i])
                        part.nodes[part.count++] = step->nodes[i];
        return part;
}

// Nodes that run the build already, because a canary or a rollout that was killed brought them there, are left alone:
// one that is drained and does not boot again would stay so.
static bool change_step(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        struct step_before before;
        if (!read_step(rollout, step, &before, err))
                return false;
        const struct rollout_step part = undone_part(rollout, step, &before);
        bool ok = part.count == 0 || (may_change(rollout, &part, err) && rollout_drain(rollout, &part, err) &&
                                      reboot_step(rollout, step, &before, err));
        return ok && rollout_wait_gate(rollout, NULL, err);
}

static bool take_back(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        if (!has_drain(step))
                return true;
        return rollout_journal_note(&rollout->journal, json_pack("{ss}", "event", "undrain"), err) &&
               rollout_undrain(rollout, step, err);
}

// Whatever failed, work may come to the nodes again. What failed first is what is told.
static bool run_step(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        if (!note_nodes(rollout, "step", step, err))
                return false;
        bool ok = change_step(rollout, step, err);
        auto_err undone = { 0 };
        if (!take_back(rollout, step, &undone)) {
                if (ok)
                        return fail(err, undone.kind, 0, "%s", undone.text);
                warning("draining could not be taken back: %s", undone.text);
        }
        return ok && rollout_settle(step->role->rollout.settle_s, err) && note_nodes(rollout, "done", step, err);
}

static void unmark(struct rollout *rollout, const struct rollout_step *step) {
        for (size_t i = 0; i < step->count; i++)
                rollout->is_pending[step->nodes[i]] = false;
}

// One step is all that it does.
static bool is_canary(const struct rollout *rollout) {
        return rollout->options->canary || rollout->journal.scope == ROLLOUT_CANARY;
}

// After a part, other nodes run what they ran.
static const char *end_of_all(const struct rollout *rollout) {
        if (rollout->journal.scope == ROLLOUT_PART)
                return "part";
        return "done";
}

static bool do_steps(struct rollout *rollout, struct err *err) {
        for (;;) {
                struct rollout_step step;
                if (!rollout_wait_gate(rollout, NULL, err) ||
                    !rollout_next_step(rollout, rollout->is_pending, &step, err))
                        return false;
                if (step.count == 0)
                        return note_end(rollout, end_of_all(rollout), err);
                if (!may_change(rollout, &step, err) || !run_step(rollout, &step, err))
                        return false;
                unmark(rollout, &step);
                if (is_canary(rollout))
                        return note_end(rollout, "canary", err);
        }
}

// The step that the journal has begun. Its nodes may be away or not: all the others must be whole.
static bool finish_step(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        if (step->count == 0)
                return true;
        notice("the step that had begun comes first");
        struct rollout_role *known = NULL;
        auto_err unknown = { 0 };
        if (!rollout_wait_gate(rollout, step, err))
                return false;
        (void)!rollout_know_role(rollout, step->role, &known, &unknown); // strangers of it, if they are told
        if (!run_step(rollout, step, err))
                return false;
        unmark(rollout, step);
        return true;
}

// A canary that was killed has had its step, then or now.
static bool finish_and_go_on(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        bool was_changed = json_object_size(rollout->journal.done) > 0 && rollout->journal.scope == ROLLOUT_CANARY;
        if (!finish_step(rollout, step, err))
                return false;
        if (is_canary(rollout) && (was_changed || step->count > 0))
                return note_end(rollout, "canary", err);
        return do_steps(rollout, err);
}

// ---- beginning and going on ----

static bool say_how_to_go_on(bool ok, const struct rollout *rollout, struct err *err) {
        if (ok || !rollout->journal.is_open || rollout->journal.fd < 0 || err->hint)
                return ok;
        return hint(err, "kiln rollout --resume goes on, --abort ends it here, --back returns to %s", rollout->from);
}

static bool open_for_work(struct rollout *rollout, struct err *err) {
        return rollout_open_dir(rollout, true, err) &&
               rollout_lock_take(rollout->dir, rollout->options->take_lock, &rollout->lock, err) &&
               rollout_journal_read(rollout->dir, &rollout->journal, err);
}

static struct rollout rollout_empty(const struct cluster *cluster, const struct rollout_options *options) {
        return (struct rollout){ .cluster = cluster, .options = options, .dir = -1, .lock.fd = -1, .journal.fd = -1 };
}

bool rollout_plan(const struct cluster *cluster, const struct rollout_options *options, json_t **ret, struct err *err) {
        assert(cluster && options && options->out && options->deadline_ms > 0 && ret);
        struct rollout rollout = rollout_empty(cluster, options);
        bool ok = rollout_open_dir(&rollout, false, err) &&
                  rollout_open(&rollout, options->from, options->build, err) && rollout_look(&rollout, err) &&
                  rollout_describe(&rollout, ret, err);
        rollout_close(&rollout);
        return ok;
}

static bool refuse_open_journal(const struct rollout *rollout, struct err *err) {
        fail(err, ERR_ROLLOUT, 0, "the rollout of %s from %s to %s has not ended", rollout->journal.cluster,
             rollout->journal.from, rollout->journal.to);
        return hint(err, "kiln rollout --resume goes on with it, --abort ends it, --back returns");
}

// What forbids the plan is found before anything is published or written down.
static bool check_plan(struct rollout *rollout, struct err *err) {
        json_t *plan = NULL;
        if (!rollout_look(rollout, err) || !rollout_describe(rollout, &plan, err))
                return false;
        const json_t *problem = json_array_get(json_object_get(plan, "problems"), 0);
        if (problem) {
                fail(err, ERR_ROLLOUT, 0, "%s", json_string_value(problem));
                hint(err, "kiln status shows all of it; --force NODE lets a node be unhealthy");
        }
        json_decref(plan);
        return !problem;
}

static enum rollout_scope chosen_scope(const struct rollout *rollout) {
        const struct strings *only = rollout->options->only;
        if (rollout->options->canary)
                return ROLLOUT_CANARY;
        if (only && only->count > 0)
                return ROLLOUT_PART;
        return ROLLOUT_ALL;
}

static bool begin(struct rollout *rollout, enum rollout_scope scope, json_t *names, json_t *step, struct err *err) {
        const struct rollout_begin new = { rollout->cluster->name, rollout->from, rollout->to, scope, names, step };
        return rollout_journal_begin(rollout->dir, &new, &rollout->journal, err) && rollout_publish(rollout, err);
}

bool rollout_go(const struct cluster *cluster, const struct rollout_options *options, struct err *err) {
        assert(cluster && options && options->out && options->deadline_ms > 0);
        struct rollout rollout = rollout_empty(cluster, options);
        bool ok = open_for_work(&rollout, err);
        if (ok && rollout.journal.is_open)
                ok = refuse_open_journal(&rollout, err);
        ok = ok && rollout_open(&rollout, options->from, options->build, err) && check_plan(&rollout, err) &&
             begin(&rollout, chosen_scope(&rollout), names_of_pending(&rollout), NULL, err) && do_steps(&rollout, err);
        ok = say_how_to_go_on(ok, &rollout, err);
        rollout_close(&rollout);
        return ok;
}

// ---- the journal's rollout ----

static bool check_journal(const struct rollout *rollout, bool must_be_open, struct err *err) {
        const struct rollout_journal *journal = &rollout->journal;
        if (!journal->exists)
                return fail(err, ERR_ROLLOUT, 0, "%s has no rollout that was begun", rollout->cluster->name);
        if (strcmp(journal->cluster, rollout->cluster->name) != 0)
                return fail(err, ERR_ROLLOUT, 0, "the journal is of cluster %s, not of %s", journal->cluster,
                            rollout->cluster->name);
        if (must_be_open && !journal->is_open)
                return fail(err, ERR_ROLLOUT, 0, "the rollout from %s to %s has ended: %s", journal->from, journal->to,
                            text_or(journal->how, ""));
        return true;
}

// Nodes that the inventory no longer has cannot be finished.
static bool step_of_journal(struct rollout *rollout, struct rollout_step *ret, struct err *err) {
        size_t i;
        json_t *name;
        *ret = (struct rollout_step){ 0 };
        ret->nodes = arena_alloc(&rollout->arena, (json_array_size(rollout->journal.step) + 1) * sizeof *ret->nodes);
        json_array_foreach(rollout->journal.step, i, name) {
                const struct node *node = cluster_find_node(rollout->cluster, text_or(json_string_value(name), ""));
                if (!node)
                        return fail(err, ERR_ROLLOUT, 0, "%s, whose step had begun, is no longer in the inventory",
                                    text_or(json_string_value(name), "?"));
                ret->role = &rollout->cluster->roles[node->role];
                ret->nodes[ret->count++] = index_of_node(rollout, node);
        }
        return true;
}

static bool names_have(const json_t *names, const char *wanted) {
        size_t i;
        json_t *name;
        json_array_foreach(names, i, name) {
                if (strcmp(text_or(json_string_value(name), ""), wanted) == 0)
                        return true;
        }
        return false;
}

// Those that the rollout was to change, and has not.
static void keep_pending(struct rollout *rollout) {
        for (size_t i = 0; i < rollout->cluster->node_count; i++) {
                const char *name = rollout->cluster->nodes[i].name;
                bool is_meant = names_have(rollout->journal.nodes, name);
                bool is_done = json_object_get(rollout->journal.done, name) != NULL;
                rollout->is_pending[i] = rollout->is_pending[i] && is_meant && !is_done;
        }
}

// A journal that the rollout keeps is read over by the one that it begins: its texts must outlive it.
static const char *keep_text(struct rollout *rollout, const char *text) { return arena_strdup(&rollout->arena, text); }

static bool resume_opened(struct rollout *rollout, struct err *err) {
        struct rollout_step step;
        const char *from = keep_text(rollout, rollout->journal.from), *to = keep_text(rollout, rollout->journal.to);
        if (!rollout_open(rollout, from, to, err) || !step_of_journal(rollout, &step, err) ||
            !rollout_journal_continue(rollout->dir, &rollout->journal, err))
                return false;
        keep_pending(rollout);
        return rollout_publish(rollout, err) && finish_and_go_on(rollout, &step, err);
}

bool rollout_resume(const struct cluster *cluster, const struct rollout_options *options, struct err *err) {
        assert(cluster && options && options->out && options->deadline_ms > 0);
        struct rollout rollout = rollout_empty(cluster, options);
        bool ok = open_for_work(&rollout, err) && check_journal(&rollout, true, err) && resume_opened(&rollout, err);
        ok = say_how_to_go_on(ok, &rollout, err);
        rollout_close(&rollout);
        return ok;
}

// Ends the journal's rollout, its draining taken back.
static bool end_journal(struct rollout *rollout, const struct rollout_step *step, const char *how, struct err *err) {
        struct rollout_role *known = NULL;
        auto_err unknown = { 0 };
        if (!rollout_journal_continue(rollout->dir, &rollout->journal, err))
                return false;
        if (step->count > 0 && has_drain(step)) {
                if (!rollout_look(rollout, err))
                        return false;
                (void)!rollout_know_role(rollout, step->role, &known, &unknown);
                if (!take_back(rollout, step, err))
                        return false;
        }
        return note_end(rollout, how, err);
}

// A node that was told to boot leaves some seconds later. Until it has, it seems whole, and whoever begins another
// rollout would take the next one.
static bool wait_until_settled(struct rollout *rollout, const struct node *node, const char *leaving, struct err *err) {
        struct rollout_pause pause = rollout_pause_begin(rollout->options->timeout_s);
        int64_t stays_until_ms = monotonic_ms() + LEAVES_WITHIN_S * 1000;
        for (;;) {
                struct running now;
                bool answers = false, is_over = false;
                remote_forget(rollout, node);
                if (!remote_running(rollout, node, &now, &answers, err))
                        return false;
                bool has_left = answers && strcmp(now.boot_id, leaving) != 0;
                bool stays = answers && monotonic_ms() > stays_until_ms;
                if (has_left || stays)
                        return true;
                if (!rollout_pause(&pause, &is_over, err))
                        return false;
                if (is_over)
                        break;
        }
        warning("%s does not answer after %jd s: look at it", node->name, (intmax_t)rollout->options->timeout_s);
        return true;
}

static bool settle_step(struct rollout *rollout, const struct rollout_step *step, struct err *err) {
        for (size_t i = 0; i < step->count; i++) {
                const struct node *node = &rollout->cluster->nodes[step->nodes[i]];
                const char *leaving = json_string_value(json_object_get(rollout->journal.boot_ids, node->name));
                if (leaving && !wait_until_settled(rollout, node, leaving, err))
                        return false;
        }
        return true;
}

bool rollout_abort(const struct cluster *cluster, const struct rollout_options *options, struct err *err) {
        assert(cluster && options && options->out && options->deadline_ms > 0);
        struct rollout rollout = rollout_empty(cluster, options);
        struct rollout_step step = { 0 };
        bool ok = open_for_work(&rollout, err) && check_journal(&rollout, true, err);
        if (ok) {
                rollout.roles = arena_alloc(&rollout.arena, (cluster->role_count + 1) * sizeof *rollout.roles);
                ok = step_of_journal(&rollout, &step, err) && settle_step(&rollout, &step, err) &&
                     end_journal(&rollout, &step, "aborted", err);
        }
        rollout_close(&rollout);
        return ok;
}

// ---- back ----

// Those that were changed, or may have been.
static json_t *touched_nodes(const struct rollout *rollout) {
        json_t *names = json_array(), *name, *truth;
        const char *done;
        size_t i;
        json_object_foreach(rollout->journal.done, done, truth) json_array_append_new(names, json_string(done));
        json_array_foreach(rollout->journal.step, i, name) json_array_append(names, name);
        return names;
}

static void keep_listed(struct rollout *rollout, const json_t *names) {
        for (size_t i = 0; i < rollout->cluster->node_count; i++)
                rollout->is_pending[i] = rollout->is_pending[i] && names_have(names, rollout->cluster->nodes[i].name);
}

// The step stands in the new journal from its beginning: killed here, it still comes first.
static json_t *step_event(const struct rollout *rollout) {
        if (!rollout->journal.step)
                return NULL;
        return json_pack("{ss sO sO}", "event", "step", "nodes", rollout->journal.step, "boot_ids",
                         rollout->journal.boot_ids);
}

static bool back_opened(struct rollout *rollout, struct err *err) {
        struct rollout_step step;
        const char *from = keep_text(rollout, rollout->journal.to), *to = keep_text(rollout, rollout->journal.from);
        json_t *names = touched_nodes(rollout), *begun = json_deep_copy(step_event(rollout));
        bool ok = rollout_open(rollout, from, to, err) && step_of_journal(rollout, &step, err);
        if (ok && rollout->journal.is_open)
                ok = end_journal(rollout, &step, "went back", err);
        if (ok)
                keep_listed(rollout, names);
        if (ok)
                ok = begin(rollout, ROLLOUT_ALL, names, begun, err) && finish_and_go_on(rollout, &step, err);
        else
                json_decref(names);
        json_decref(begun);
        return ok;
}

bool rollout_back(const struct cluster *cluster, const struct rollout_options *options, struct err *err) {
        assert(cluster && options && options->out && options->deadline_ms > 0);
        struct rollout rollout = rollout_empty(cluster, options);
        bool ok = open_for_work(&rollout, err) && check_journal(&rollout, false, err) && back_opened(&rollout, err);
        ok = say_how_to_go_on(ok, &rollout, err);
        rollout_close(&rollout);
        return ok;
}
