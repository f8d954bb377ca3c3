// SPDX-License-Identifier: MIT
#include "release/build_prune.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/progress.h"
#include "build/publish.h"

enum { ROLLOUT_JOURNAL_MAX = 64 << 20 };

static char *mark_name(const struct listed_build *build) { return xasprintf(MARK_PREFIX "%s", build->id); }

static bool is_current_now(const struct publication *publication, const char *id) {
        char target[NAME_MAX + 1];
        ssize_t length = readlinkat(publication->dir, "current", target, sizeof target);
        return length >= 0 && (size_t)length == strlen(id) && memcmp(target, id, (size_t)length) == 0;
}

// `kiln serve` holds a shared flock(2) on the directory of a build that machines load.
static bool is_served(const struct publication *publication, const struct listed_build *build) {
        auto_close int dir = openat(publication->dir, build->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static bool names_build(const json_t *rollout, const char *key, const struct listed_build *build) {
        return strcmp(member_text(rollout, key), build->id) == 0;
}

// Of a rollout that did not bring all nodes to one build, both are wanted: to go on with, and to go back to. Its
// journal is rollout/rollout_journal.h's.
static bool is_of_open_rollout(const struct publication *publication, const struct listed_build *build) {
        auto_buf text = { .max = ROLLOUT_JOURNAL_MAX };
        auto_err absent = { 0 };
        json_t *begin = NULL;
        bool is_done = false;
        if (!fs_read(publication->dir, ".rollout/journal", &text, &absent))
                return false;
        for (char *next = text.data, *line; (line = strsep(&next, "\n"));) {
                json_t *event = json_loads(line, 0, NULL);
                const char *name = member_text(event, "event");
                if (strcmp(name, "begin") == 0) {
                        json_decref(begin);
                        begin = json_incref(event);
                        is_done = false;
                }
                if (strcmp(name, "end") == 0)
                        is_done = strcmp(member_text(event, "how"), "done") == 0;
                json_decref(event);
        }
        bool is_wanted = !is_done && (names_build(begin, "from", build) || names_build(begin, "to", build));
        json_decref(begin);
        return is_wanted;
}

// The list may be older than the turn.
static bool may_go(const struct publication *publication, const struct listed_build *build) {
        auto_free char *mark = mark_name(build);
        bool is_kept = is_current_now(publication, build->id) || fs_exists(publication->dir, mark) ||
                       is_of_open_rollout(publication, build);
        bool is_loaded = build->running > 0 || is_served(publication, build);
        return !is_kept && !is_loaded && publication_has(publication, build->id);
}

static bool is_same_place(const struct listed_build *a, const struct listed_build *b) {
        return a->is_partial == b->is_partial && strcmp(a->cluster, b->cluster) == 0;
}

static bool prune_in_turn(struct publication *publication, const struct listed_build *builds, size_t count,
                          struct build_prune_result *result, struct err *err) {
        for (size_t i = 0; i < count; i++) {
                if (!interrupt_check(err))
                        return false;
                if (!may_go(publication, &builds[i]))
                        continue;
                if (result->is_dry)
                        notice("build %s of %s would be removed", builds[i].id, builds[i].cluster);
                else if (!publication_remove(publication, builds[i].id, err))
                        return false;
                result->count++;
                result->bytes += builds[i].alone_bytes;
        }
        return true;
}

static bool open_to_prune(const char *out, const struct listed_build *of_place, bool is_dry, struct publication *ret,
                          struct err *err) {
        if (is_dry)
                return publication_open_to_look(out, of_place->cluster, of_place->is_partial, ret, err);
        return publication_open_to_change(out, of_place->cluster, of_place->is_partial, ret, err);
}

// `builds` are those of one place, the newest first.
static bool prune_place(const char *out, const struct listed_build *builds, size_t count, unsigned keep,
                        struct build_prune_result *result, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        if (count <= keep)
                return true;
        if (!publication_check_owners(out, builds->cluster, err) ||
            !open_to_prune(out, builds, result->is_dry, &publication, err))
                return false;
        bool ok = (result->is_dry || publication_remove_leftovers(&publication, err)) &&
                  prune_in_turn(&publication, builds + keep, count - keep, result, err);
        publication_close(&publication);
        return ok;
}

bool builds_prune(const char *out, const struct build_list *list, unsigned keep, bool is_dry,
                  struct build_prune_result *ret, struct err *err) {
        struct build_prune_result result = { .is_dry = is_dry };
        size_t first = 0;
        while (first < list->count) {
                size_t end = first + 1;
                while (end < list->count && is_same_place(&list->items[first], &list->items[end]))
                        end++;
                if (!prune_place(out, &list->items[first], end - first, keep, &result, err))
                        return wrap(err, "removing old builds of %s", list->items[first].cluster);
                first = end;
        }
        *ret = result;
        return true;
}

static bool set_mark(const struct publication *publication, const struct listed_build *build, bool is_marked,
                     struct err *err) {
        auto_free char *name = mark_name(build);
        if (!is_marked)
                return fs_remove_tree(publication->dir, name, err);
        return (publication_has(publication, build->id) ||
                fail(err, ERR_REFERENCE, 0, "build %s was removed meanwhile", build->id)) &&
               fs_write_atomic(publication->dir, name, "", 0, 0644, err);
}

// In turn, so that nobody who removes builds has just looked for it.
bool build_mark(const char *out, const struct listed_build *build, bool is_marked, struct err *err) {
        struct publication publication = PUBLICATION_CLOSED;
        if (!publication_open_to_change(out, build->cluster, build->is_partial, &publication, err))
                return false;
        bool ok = set_mark(&publication, build, is_marked, err);
        publication_close(&publication);
        return ok;
}
