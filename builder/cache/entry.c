// SPDX-License-Identifier: MIT
#include "cache/entry.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache/lock.h"
#include "remote/remote.h"

#define TEMPORARY_MARK ".tmp."

// An entry whose lock this thread holds, or that it only looks at.
struct held {
        struct cache *cache;
        enum cache_kind what;
        const char *name;
        char *path;
        int kind; // the directory of its kind; -1: there is none
        int lock;
};

static void held_release(struct held *held) {
        close_cleanup(&held->lock); // unlocks
        close_cleanup(&held->kind);
        free(held->path);
}

// Without the lock, which would have to be made.
static bool open_kind_to_look(struct held *held, struct err *err) {
        auto_free char *path = cache_kind_path(held->cache, held->what);
        return !fs_exists(AT_FDCWD, path) || fs_open_dir(AT_FDCWD, path, &held->kind, err);
}

static bool hold_entry(struct cache *cache, enum cache_kind kind, const char *name, struct held *ret, struct err *err) {
        auto_free char *lock_name = xasprintf("%s.lock", name);
        *ret = (struct held){ .cache = cache,
                              .what = kind,
                              .name = name,
                              .path = cache_entry(cache, kind, name),
                              .kind = -1,
                              .lock = -1 };
        if (cache_only_looks(cache))
                return open_kind_to_look(ret, err);
        return cache_open_kind(cache, kind, &ret->kind, err) && lock_take(ret->kind, lock_name, &ret->lock, err);
}

// ---- what killed builds left ----

static bool is_abandoned(const struct held *held, const char *found) {
        const char *mark = strstr(found, TEMPORARY_MARK);
        if (!mark)
                return false;
        size_t length = (size_t)(mark - found);
        bool is_ours = strlen(held->name) == length && strncmp(found, held->name, length) == 0;
        if (is_ours)
                return true;
        auto_free char *lock_name = xasprintf("%.*s.lock", (int)length, found);
        auto_close int fd = openat(held->kind, lock_name, O_RDWR | O_CLOEXEC);
        return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
}

// Other builds make and rename entries meanwhile, so what is gone is no error.
static bool remove_abandoned(const struct held *held, struct err *err) {
        auto_closedir DIR *stream = NULL;
        if (!fs_open_listing(held->kind, &stream, err))
                return wrap(err, "the directory of %s", held->path);
        struct dirent *found;
        bool ok;
        while ((ok = fs_next_entry(stream, &found, err)) && found)
                if (is_abandoned(held, found->d_name) && !fs_remove_tree(held->kind, found->d_name, err))
                        return wrap(err, "removing what a killed build left");
        return ok && lock_remove_leftovers(held->kind, held->name, err);
}

// ---- entries ----

static bool check_held(const struct held *held, entry_check *check, void *context, bool *ret_whole, struct err *err) {
        struct stat stat;
        auto_close int dir = -1;
        *ret_whole = false;
        if (held->kind < 0)
                return true;
        if (fstatat(held->kind, held->name, &stat, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT)
                        return true;
                return fail(err, ERR_SYSTEM, errno, "stat %s", held->path);
        }
        if (!S_ISDIR(stat.st_mode)) // something else lies there
                return true;
        return fs_open_dir(held->kind, held->name, &dir, err) && check(dir, held->path, context, ret_whole, err);
}

static bool fill_temporary(const struct held *held, const char *temporary, const struct entry_maker *maker,
                           void *context, struct err *err) {
        auto_close int dir = -1;
        return fs_open_dir(held->kind, temporary, &dir, err) && maker->make(dir, context, err);
}

static const char *kind_name(const struct held *held) { return cache_kinds[held->what].name; }

// Judged by what judges an entry of this cache, so that nothing else decides what is whole.
static bool load_temporary(const struct held *held, const char *temporary, const struct entry_maker *maker,
                           void *context, bool *ret_whole, struct err *err) {
        struct remote *remote = cache_remote(held->cache);
        auto_close int dir = -1;
        bool is_found = false;
        bool is_private = (cache_kinds[held->what].mode & 077) == 0;
        *ret_whole = false;
        if (!fs_open_dir(held->kind, temporary, &dir, err) ||
            !remote_load_tree(remote, kind_name(held), held->name, dir, is_private, &is_found, err))
                return false;
        if (!is_found)
                return true;
        if (!maker->check(dir, held->path, context, ret_whole, err))
                return false;
        if (!*ret_whole)
                remote_reject(remote, kind_name(held), held->name);
        return true;
}

typedef bool entry_fill(const struct held *held, const char *temporary, const struct entry_maker *maker, void *context,
                        bool *ret_whole, struct err *err);

static bool make_temporary(const struct held *held, const char *temporary, const struct entry_maker *maker,
                           void *context, bool *ret_whole, struct err *err) {
        *ret_whole = fill_temporary(held, temporary, maker, context, err);
        return *ret_whole;
}

// Moves a directory to the entry's place once it is whole.
static bool place_filled(const struct held *held, entry_fill *fill, const struct entry_maker *maker, void *context,
                         bool *ret_whole, struct err *err) {
        auto_free char *stem = xasprintf("%s.tmp", held->name);
        auto_free char *temporary = NULL;
        if (!fs_make_temporary_dir(held->kind, stem, &temporary, err))
                return false;
        bool ok = fill(held, temporary, maker, context, ret_whole, err);
        if (ok && *ret_whole && renameat(held->kind, temporary, held->kind, held->name) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s to %s", temporary, held->path);
        if (!ok || !*ret_whole) {
                auto_err ignored = { 0 };
                (void)!fs_remove_tree(held->kind, temporary, &ignored); // the first error is the one to tell
        }
        return ok;
}

static bool load_or_make(const struct held *held, const struct entry_maker *maker, void *context, struct err *err) {
        struct remote *remote = cache_remote(held->cache);
        bool is_whole = false;
        if (remote && !place_filled(held, load_temporary, maker, context, &is_whole, err))
                return false;
        if (is_whole)
                return true;
        if (!place_filled(held, make_temporary, maker, context, &is_whole, err))
                return false;
        remote_offer(remote, kind_name(held), held->name, held->path, true);
        return true;
}

static bool obtain_held(const struct held *held, const struct entry_maker *maker, void *context, struct err *err) {
        bool is_whole = false;
        if (!remove_abandoned(held, err) || !check_held(held, maker->check, context, &is_whole, err))
                return false;
        if (is_whole) {
                remote_offer(cache_remote(held->cache), kind_name(held), held->name, held->path, false);
                return true;
        }
        return lock_remove_entry(held->kind, held->name, err) && load_or_make(held, maker, context, err);
}

bool entry_obtain(struct cache *cache, enum cache_kind kind, const char *name, const struct entry_maker *maker,
                  void *context, struct err *err) {
        assert(!cache_kinds[kind].in_parts && !cache_only_looks(cache));
        struct held held;
        bool ok = hold_entry(cache, kind, name, &held, err) && obtain_held(&held, maker, context, err);
        held_release(&held);
        return ok;
}

bool entry_look(struct cache *cache, enum cache_kind kind, const char *name, entry_check *check, void *context,
                bool *ret_whole, struct err *err) {
        struct held held;
        bool ok = hold_entry(cache, kind, name, &held, err) && check_held(&held, check, context, ret_whole, err);
        held_release(&held);
        return ok;
}

// A file can be renamed over everything but a directory.
static bool remove_directory_in_the_way(const struct held *held, struct err *err) {
        struct stat stat;
        bool is_directory = fstatat(held->kind, held->name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode);
        return !is_directory || lock_remove_entry(held->kind, held->name, err);
}

static bool write_held_file(const struct held *held, const void *data, size_t size, struct err *err) {
        return lock_remove_leftovers(held->kind, held->name, err) && remove_directory_in_the_way(held, err) &&
               fs_write_atomic(held->kind, held->name, data, size, 0644, err);
}

static bool keep_file(struct cache *cache, enum cache_kind kind, const char *name, const void *data, size_t size,
                      struct err *err) {
        assert(!cache_only_looks(cache));
        struct held held;
        bool ok = hold_entry(cache, kind, name, &held, err);
        if (ok && !write_held_file(&held, data, size, err))
                ok = wrap(err, "the entry %s", held.path);
        held_release(&held);
        return ok;
}

bool entry_read_file(struct cache *cache, enum cache_kind kind, const char *name, struct buf *ret, bool *ret_found,
                     struct err *err) {
        struct remote *remote = cache_remote(cache);
        auto_free char *path = cache_entry(cache, kind, name);
        auto_err absent = { 0 };
        *ret_found = fs_read(AT_FDCWD, path, ret, &absent);
        if (*ret_found) {
                remote_offer(remote, cache_kinds[kind].name, name, path, false);
                return true;
        }
        buf_clear(ret);
        if (!remote_load_file(remote, cache_kinds[kind].name, name, ret, ret_found, err))
                return false;
        return !*ret_found || keep_file(cache, kind, name, buf_text(ret), ret->size, err);
}

bool entry_write_file(struct cache *cache, enum cache_kind kind, const char *name, const void *data, size_t size,
                      struct err *err) {
        if (!keep_file(cache, kind, name, data, size, err))
                return false;
        auto_free char *path = layout_entry(cache_path(cache), kind, name);
        remote_offer(cache_remote(cache), cache_kinds[kind].name, name, path, true);
        return true;
}
