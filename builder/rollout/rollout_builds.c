// SPDX-License-Identifier: MIT
// The two builds of a rollout, and what changes from one to the other.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "diff/build_diff.h"
#include "release/build_list.h"
#include "release/build_publish.h"
#include "rollout/internal.h"

bool rollout_open_dir(struct rollout *rollout, bool make, struct err *err) {
        const char *path =
            arena_printf(&rollout->arena, "%s/%s/.rollout", rollout->options->out, rollout->cluster->name);
        rollout->dir_path = path;
        if (make && !fs_mkdirs(AT_FDCWD, path, 0755, err))
                return wrap(err, "where a rollout keeps its journal");
        if (!make && !fs_exists(AT_FDCWD, path))
                return true;
        return fs_open_dir(AT_FDCWD, path, &rollout->dir, err);
}

// What the last rollout left the nodes with; NULL: there was none that ended.
static bool last_build(const struct rollout *rollout, const char **ret, struct err *err) {
        struct rollout_journal last = { .fd = -1 };
        if (rollout->dir < 0)
                return true;
        bool ok = rollout_journal_read(rollout->dir, &last, err);
        bool is_whole = ok && last.exists && !last.is_open && strcmp(last.cluster, rollout->cluster->name) == 0 &&
                        strcmp(text_or(last.how, ""), "done") == 0;
        if (is_whole)
                *ret = arena_strdup((struct arena *)&rollout->arena, last.to);
        rollout_journal_close(&last);
        return ok;
}

static bool refuse_no_from(const struct rollout *rollout, struct err *err) {
        fail(err, ERR_USAGE, 0, "which build do the nodes of %s run? No rollout that ended says it",
             rollout->cluster->name);
        return hint(err, "--from BUILD says it; kiln builds lists them");
}

static const struct listed_build *current_build(const struct build_list *list) {
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].is_current)
                        return &list->items[i];
        return NULL;
}

static bool find_to(const struct rollout *rollout, const struct build_list *list, const char *name,
                    const struct listed_build **ret, struct err *err) {
        if (name)
                return build_list_find(list, name, ret, err);
        *ret = current_build(list);
        if (*ret)
                return true;
        return fail(err, ERR_REFERENCE, 0, "%s/%s has no build that is current: name one", rollout->options->out,
                    rollout->cluster->name);
}

static bool find_builds(struct rollout *rollout, const struct build_list *list, const char *from, const char *to,
                        struct err *err) {
        const struct listed_build *older = NULL, *newer = NULL;
        if (!from && !last_build(rollout, &from, err))
                return false;
        if (!from)
                return refuse_no_from(rollout, err);
        if (!find_to(rollout, list, to, &newer, err) || !build_list_find(list, from, &older, err))
                return false;
        if (newer->is_partial)
                return fail(err, ERR_REFERENCE, 0, "build %s is a part: a rollout needs a whole one", newer->id);
        auto_free char *from_path = listed_build_path(rollout->options->out, older);
        auto_free char *to_path = listed_build_path(rollout->options->out, newer);
        rollout->from = arena_strdup(&rollout->arena, older->id);
        rollout->to = arena_strdup(&rollout->arena, newer->id);
        rollout->from_path = arena_strdup(&rollout->arena, from_path);
        rollout->to_path = arena_strdup(&rollout->arena, to_path);
        rollout->is_current = newer->is_current;
        return true;
}

static bool read_changes(struct rollout *rollout, struct err *err) {
        json_t *diff = NULL;
        if (!build_diff(rollout->from_path, rollout->to_path, &diff, err))
                return false;
        rollout->changes = json_incref(json_object_get(diff, "nodes"));
        json_decref(diff);
        return true;
}

// A node that the inventory has and the build does not is left alone.
static void mark_pending(struct rollout *rollout) {
        const struct strings *only = rollout->options->only;
        rollout->is_pending = arena_alloc(&rollout->arena, rollout->cluster->node_count + 1);
        for (size_t i = 0; i < rollout->cluster->node_count; i++) {
                const char *name = rollout->cluster->nodes[i].name;
                const char *change = member_text(json_object_get(rollout->changes, name), "change");
                bool is_meant = !only || only->count == 0 || strings_have(only, name);
                bool changes = *change && strcmp(change, "nothing") != 0 && strcmp(change, "gone") != 0;
                rollout->is_pending[i] = is_meant && changes;
        }
}

static bool check_names(const struct rollout *rollout, const struct strings *names, const char *option,
                        struct err *err) {
        for (size_t i = 0; names && i < names->count; i++)
                if (!cluster_find_node(rollout->cluster, names->items[i]))
                        return fail(err, ERR_REFERENCE, 0, "--%s: the inventory has no node %s", option,
                                    names->items[i]);
        return true;
}

bool rollout_open(struct rollout *rollout, const char *from, const char *to, struct err *err) {
        struct build_list list = { 0 };
        if (!check_names(rollout, rollout->options->only, "only", err) ||
            !check_names(rollout, rollout->options->forced, "force", err))
                return false;
        bool ok = build_list_read(rollout->options->out, rollout->cluster->name, &list, err) &&
                  find_builds(rollout, &list, from, to, err);
        build_list_release(&list);
        if (!ok || !read_changes(rollout, err))
                return false;
        mark_pending(rollout);
        rollout->roles = arena_alloc(&rollout->arena, (rollout->cluster->role_count + 1) * sizeof *rollout->roles);
        return true;
}

// In the middle of a step, a node may be about to leave: the lock says whose the rollout is until it goes on or ends,
// so that kiln serve gives no other machine leave to boot.
static bool leaves_step_open(const struct rollout *rollout) {
        return rollout->journal.fd >= 0 && rollout->journal.is_open && rollout->journal.step;
}

void rollout_close(struct rollout *rollout) {
        rollout_lock_release(&rollout->lock, leaves_step_open(rollout));
        rollout_journal_close(&rollout->journal);
        close_cleanup(&rollout->dir);
        json_decref(rollout->changes);
        json_decref(rollout->status);
        arena_release(&rollout->arena);
}

bool rollout_publish(struct rollout *rollout, struct err *err) {
        struct build_list list = { 0 };
        const struct listed_build *build = NULL;
        bool ok = build_list_read(rollout->options->out, rollout->cluster->name, &list, err) &&
                  build_list_find(&list, rollout->to, &build, err);
        if (ok && !build->is_current)
                ok = rollout_journal_note(&rollout->journal, json_pack("{ss}", "event", "publish"), err) &&
                     build_publish(rollout->options->out, build, rollout->options->jobs, false, err);
        build_list_release(&list);
        return ok;
}
