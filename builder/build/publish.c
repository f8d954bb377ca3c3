// SPDX-License-Identifier: MIT
#include "build/publish.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/file_lock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/own_dir.h"
#include "base/progress.h"
#include "build/digest_links.h"
#include "build/published_seal.h"

// ---- turns ----

// Until `*ret_turn` is closed; -1 where the publication has it already. <out> is there in any case: a turn makes
// nothing, and can be taken on a disk that is full.
static bool take_turn(const struct publication *publication, int *ret_turn, struct err *err) {
        const char *out = "..";
        auto_close int turn = -1;
        if (publication->turn >= 0)
                return true;
        if (publication->is_partial)
                out = "../..";
        if (!fs_open_dir(publication->dir, out, &turn, err) ||
            !file_lock_wait(turn, LOCK_EX, "the output directory", "the output directory", err))
                return false;
        *ret_turn = take_fd(turn);
        return true;
}

// ---- opening ----

static bool remove_leftovers(int dir, struct err *err) {
        auto_closedir DIR *stream = NULL;
        if (!fs_open_listing(dir, &stream, err))
                return wrap(err, "the output directory");
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!strncmp(entry->d_name, STAGING_PREFIX, strlen(STAGING_PREFIX)) &&
                    !fs_remove_tree(dir, entry->d_name, err))
                        return wrap(err, "removing what a killed build left");
        return ok;
}

static bool check_owner_below(int out, const char *path, const char *shown, struct err *err) {
        auto_close int dir = -1;
        return !fs_exists(out, path) || own_dir_open(out, path, OWN_DIR, shown, &dir, err);
}

bool publication_check_owners(const char *out, const char *cluster, struct err *err) {
        auto_free char *partial = xasprintf("%s/" PARTIAL_DIR, cluster);
        auto_free char *shown = xasprintf("%s/%s", out, cluster);
        auto_free char *shown_partial = xasprintf("%s/" PARTIAL_DIR, shown);
        auto_close int parent = -1;
        if (!fs_exists(AT_FDCWD, out))
                return true;
        bool ok = own_dir_open(AT_FDCWD, out, OWN_DIR_SHARED, out, &parent, err) &&
                  check_owner_below(parent, cluster, shown, err) &&
                  check_owner_below(parent, partial, shown_partial, err);
        return ok || wrap(err, "preparing the output directory");
}

// Opens a directory of kiln's own, which is made if it is absent.
static bool open_own(int parent, const char *name, const char *shown, int *ret_fd, struct err *err) {
        return fs_mkdirs(parent, name, 0755, err) && own_dir_open(parent, name, OWN_DIR, shown, ret_fd, err);
}

static bool open_publication_place(const char *out, const char *cluster, bool is_partial, int *ret_fd,
                                   struct err *err) {
        auto_free char *path = xasprintf("%s/%s", out, cluster);
        auto_free char *partial = xasprintf("%s/" PARTIAL_DIR, path);
        auto_close int parent = -1, dir = -1;
        if (!fs_mkdirs(AT_FDCWD, out, 0755, err) || !fs_open_dir(AT_FDCWD, out, &parent, err) ||
            !open_own(parent, cluster, path, &dir, err))
                return false;
        if (is_partial)
                return open_own(dir, PARTIAL_DIR, partial, ret_fd, err);
        *ret_fd = take_fd(dir);
        return true;
}

// What it names; NULL: nothing. Heap.
static char *named_by_current(const struct publication *publication) {
        char name[NAME_MAX + 1];
        ssize_t length = readlinkat(publication->dir, "current", name, sizeof name);
        if (length < 0)
                return NULL;
        return xstrndup(name, (size_t)length);
}

bool publication_open(const char *out, const char *cluster, bool is_partial, struct publication *ret, struct err *err) {
        auto_free char *path = xasprintf("%s/%s", out, cluster);
        auto_close int dir = -1, turn = -1;
        if (!open_publication_place(out, cluster, is_partial, &dir, err))
                return wrap(err, "preparing the output directory");
        struct publication publication = { .dir = dir, .staging = -1, .turn = -1, .is_partial = is_partial };
        if (flock(dir, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", path);
                fail(err, ERR_LOCKED, 0, "%s: another kiln is building there", path);
                return hint(err, "wait for it, or give this build its own --out");
        }
        if (!take_turn(&publication, &turn, err) || !remove_leftovers(dir, err))
                return false;
        publication.current_before = named_by_current(&publication);
        publication.dir = take_fd(dir);
        *ret = publication;
        return true;
}

bool publication_open_to_change(const char *out, const char *cluster, bool is_partial, struct publication *ret,
                                struct err *err) {
        auto_close int dir = -1;
        if (!open_publication_place(out, cluster, is_partial, &dir, err))
                return wrap(err, "the output directory");
        struct publication publication = { .dir = dir, .staging = -1, .turn = -1, .is_partial = is_partial };
        int turn = -1;
        if (!take_turn(&publication, &turn, err))
                return wrap(err, "the output directory");
        publication.turn = turn;
        publication.current_before = named_by_current(&publication);
        publication.dir = take_fd(dir);
        *ret = publication;
        return true;
}

bool publication_remove_leftovers(const struct publication *publication, struct err *err) {
        assert(publication->turn >= 0);
        if (flock(publication->dir, LOCK_EX | LOCK_NB) < 0)
                return true; // they are those of a build that is on its way
        bool ok = remove_leftovers(publication->dir, err);
        (void)flock(publication->dir, LOCK_UN);
        return ok;
}

bool publication_open_to_look(const char *out, const char *cluster, bool is_partial, struct publication *ret,
                              struct err *err) {
        const char *part = "";
        if (is_partial)
                part = "/" PARTIAL_DIR;
        auto_free char *path = xasprintf("%s/%s%s", out, cluster, part);
        *ret =
            (struct publication){ .dir = -1, .staging = -1, .turn = -1, .is_partial = is_partial, .only_looks = true };
        return !fs_exists(AT_FDCWD, path) || fs_open_dir(AT_FDCWD, path, &ret->dir, err) ||
               wrap(err, "the output directory");
}

bool publication_has(const struct publication *publication, const char *build_id) {
        return fs_exists(publication->dir, build_id);
}

bool publication_stage(struct publication *publication, const char *build_id, struct err *err) {
        assert(!publication->staging_name);
        auto_free char *prefix = xasprintf(STAGING_PREFIX "%s", build_id);
        return fs_make_temporary_dir(publication->dir, prefix, &publication->staging_name, err) &&
               fs_open_dir(publication->dir, publication->staging_name, &publication->staging, err);
}

// Moves what was prepared under a staging name to its own. If it cannot, the
// staged file is removed, and errno says why.
static bool take_place(const struct publication *publication, const char *staging, const char *name) {
        if (renameat(publication->dir, staging, publication->dir, name) == 0)
                return true;
        int number = errno;
        unlinkat(publication->dir, staging, 0);
        errno = number;
        return false;
}

// Called with digest_links_add() or digest_links_drop().
static bool update_links(const struct publication *publication, const char *build_id,
                         bool (*update)(int cluster, const char *path, struct err *err), struct err *err) {
        if (!publication->is_partial)
                return update(publication->dir, build_id, err);
        auto_free char *path = xasprintf(PARTIAL_DIR "/%s", build_id);
        auto_close int cluster = -1;
        return fs_open_dir(publication->dir, "..", &cluster, err) && update(cluster, path, err);
}

static bool is_same_build(const char *a, const char *b) { return strcmp(text_or(a, ""), text_or(b, "")) == 0; }

static bool find_to_announce(const struct publication *publication, const char *build_id, struct err *err) {
        return publication_has(publication, build_id) ||
               fail(err, ERR_REFERENCE, 0, "build %s was removed meanwhile", build_id);
}

bool publication_set_current(struct publication *publication, const char *build_id, struct err *err) {
        static const char name[] = STAGING_PREFIX "current";
        auto_close int turn = -1;
        assert(!publication->is_partial);
        if (!take_turn(publication, &turn, err) || !find_to_announce(publication, build_id, err))
                return false;
        // First, so that machines which boot it find what they ask for.
        if (!update_links(publication, build_id, digest_links_add, err))
                return false;
        auto_free char *now = named_by_current(publication);
        if (is_same_build(now, build_id))
                return true;
        if (now && !is_same_build(now, publication->current_before)) {
                warning("`current` was moved to build %s meanwhile, and stays there: kiln publish %s moves it", now,
                        build_id);
                return true;
        }
        unlinkat(publication->dir, name, 0);
        if (symlinkat(build_id, publication->dir, name) == 0 && take_place(publication, name, "current"))
                return true;
        return fail(err, ERR_SYSTEM, errno, "point `current` at build %s", build_id);
}

// The rename must not overtake the data on its way to the disk.
static bool sync_staged(const struct publication *publication, struct err *err) {
        assert(publication->staging_name); // publication_stage() comes first
        return syncfs(publication->staging) == 0 || fail(err, ERR_SYSTEM, errno, "sync the build");
}

static bool move_staged(struct publication *publication, const char *build_id, struct err *err) {
        bool replaces = publication_has(publication, build_id);
        unsigned flags = 0;
        if (replaces)
                flags = RENAME_EXCHANGE;
        if (renameat2(publication->dir, publication->staging_name, publication->dir, build_id, flags) < 0)
                return fail(err, ERR_SYSTEM, errno, "publish build %s", build_id);
        // After an exchange the staging name is the replaced build's, which publication_close() removes.
        if (!replaces)
                free(take_ptr(publication->staging_name));
        return true;
}

bool publication_place(struct publication *publication, const char *build_id, struct err *err) {
        auto_close int turn = -1;
        return sync_staged(publication, err) && take_turn(publication, &turn, err) &&
               move_staged(publication, build_id, err);
}

bool publication_announce(struct publication *publication, const char *build_id, struct err *err) {
        auto_close int turn = -1;
        if (!publication->is_partial)
                return publication_set_current(publication, build_id, err);
        return take_turn(publication, &turn, err) && find_to_announce(publication, build_id, err) &&
               update_links(publication, build_id, digest_links_add, err);
}

bool publication_finish(struct publication *publication, const char *build_id, struct err *err) {
        auto_close int turn = -1;
        assert(publication->turn < 0);
        if (!sync_staged(publication, err) || !take_turn(publication, &turn, err))
                return false;
        publication->turn = turn; // in one turn, so that nobody removes it before it is announced
        bool ok = move_staged(publication, build_id, err) && publication_announce(publication, build_id, err);
        publication->turn = -1;
        return ok;
}

// ---- beside the build ----

static char *seal_name(const char *build_id) { return xasprintf(".seal-%s", build_id); }

static const struct note_place {
        const char *before, *behind; // the build's id
        mode_t mode;
} note_places[] = {
        [PUBLICATION_ORIGIN] = { ".origin-", "", 0600 },
        [PUBLICATION_NOTES] = { ".notes-", "", 0600 },
        [PUBLICATION_RECIPE] = { ".recipe-", "", 0600 },
        [PUBLICATION_REPORT] = { "report-", ".html", 0644 },
};

char *publication_note_name(enum publication_note note, const char *build_id) {
        assert(note < lengthof(note_places));
        return xasprintf("%s%s%s", note_places[note].before, build_id, note_places[note].behind);
}

// Without a sync of its own: if it is lost, the build is read once.
static bool write_seal(const struct publication *publication, const char *build_id, const struct buf *seal,
                       struct err *err) {
        static const char staging[] = STAGING_PREFIX "seal"; // so that a killed build's goes, too
        auto_free char *name = seal_name(build_id);
        auto_close int turn = -1;
        if (seal->overflow)
                return fail(err, ERR_SYSTEM, 0, "%s would be too large", name);
        if (!take_turn(publication, &turn, err) || !fs_remove_tree(publication->dir, staging, err) ||
            !fs_write(publication->dir, staging, buf_text(seal), seal->size, 0600, err))
                return false;
        return take_place(publication, staging, name) || fail(err, ERR_SYSTEM, errno, "rename %s", name);
}

bool publication_seal(struct publication *publication, const char *build_id, const struct buf *sums, struct err *err) {
        assert(publication->staging_name);
        auto_buf seal = { 0 };
        return published_seal_make(publication->staging, sums, &seal, err) &&
               write_seal(publication, build_id, &seal, err);
}

static bool check_whole(const struct publication *publication, const char *build_id, bool reads_all, unsigned jobs,
                        struct seal_verdict *ret, struct err *err) {
        auto_free char *name = seal_name(build_id);
        auto_buf seal = { .max = PUBLISHED_SEAL_MAX_BYTES };
        auto_err absent = { 0 };
        auto_close int dir = -1;
        if (!fs_read(publication->dir, name, &seal, &absent))
                buf_clear(&seal);
        dir = openat(publication->dir, build_id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir >= 0)
                return published_seal_check(dir, &seal, reads_all, jobs, ret, err);
        ret->difference = xasprintf("it cannot be opened: %s", strerror(errno));
        return true;
}

bool publication_is_whole(struct publication *publication, const char *build_id, unsigned jobs, bool *ret,
                          struct err *err) {
        struct seal_verdict verdict = { 0 };
        auto_err unwritten = { 0 };
        bool ok = check_whole(publication, build_id, false, jobs, &verdict, err);
        *ret = ok && !verdict.difference;
        if (verdict.difference)
                warning("build %s is not as it was published: %s; it is made again", build_id, verdict.difference);
        bool has_moved = *ret && verdict.renewed.size > 0;
        if (has_moved && !publication->only_looks && !write_seal(publication, build_id, &verdict.renewed, &unwritten))
                notice("build %s will be read again: %s", build_id, unwritten.text);
        seal_verdict_release(&verdict);
        return ok;
}

bool publication_examine(const struct publication *publication, const char *build_id, unsigned jobs,
                         char **ret_difference, struct err *err) {
        struct seal_verdict verdict = { 0 };
        bool ok = check_whole(publication, build_id, true, jobs, &verdict, err);
        if (ok)
                *ret_difference = take_ptr(verdict.difference);
        seal_verdict_release(&verdict);
        return ok;
}

static bool remove_notes(struct publication *publication, const char *build_id, struct err *err) {
        for (size_t i = 0; i < lengthof(note_places); i++) {
                auto_free char *name = publication_note_name((enum publication_note)i, build_id);
                if (!fs_remove_tree(publication->dir, name, err))
                        return false;
        }
        return true;
}

// Under the name of a leftover: what a kill leaves of it goes with the next kiln.
bool publication_remove(struct publication *publication, const char *build_id, struct err *err) {
        auto_free char *seal = seal_name(build_id);
        auto_free char *going = xasprintf(STAGING_PREFIX "%s.removed", build_id);
        auto_close int turn = -1;
        if (!take_turn(publication, &turn, err) || !update_links(publication, build_id, digest_links_drop, err))
                return false;
        if (renameat(publication->dir, build_id, publication->dir, going) < 0)
                return fail(err, ERR_SYSTEM, errno, "remove build %s", build_id);
        return fs_remove_tree(publication->dir, going, err) && fs_remove_tree(publication->dir, seal, err) &&
               remove_notes(publication, build_id, err);
}

bool publication_note(struct publication *publication, const char *build_id, enum publication_note note,
                      const char *text, struct err *err) {
        static const char staging[] = STAGING_PREFIX "note"; // so that a killed build's goes, too
        auto_free char *name = publication_note_name(note, build_id);
        auto_buf there = { 0 };
        auto_err absent = { 0 };
        auto_close int turn = -1;
        if (!take_turn(publication, &turn, err))
                return false;
        if (fs_read(publication->dir, name, &there, &absent) && strcmp(buf_text(&there), text) == 0)
                return true; // nothing has changed, and nothing is written
        if (!fs_write_atomic(publication->dir, staging, text, strlen(text), note_places[note].mode, err))
                return false;
        return take_place(publication, staging, name) || fail(err, ERR_SYSTEM, errno, "rename %s", name);
}

void publication_close(struct publication *publication) {
        auto_err err = { 0 };
        close_cleanup(&publication->staging);
        if (publication->staging_name && !fs_remove_tree(publication->dir, publication->staging_name, &err))
                warning("%s stays behind: %s", publication->staging_name, err.text);
        free(take_ptr(publication->staging_name));
        free(take_ptr(publication->current_before));
        close_cleanup(&publication->dir);
        close_cleanup(&publication->turn);
        publication->dir = publication->staging = publication->turn = -1;
}
