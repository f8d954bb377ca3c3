// SPDX-License-Identifier: MIT
#include "cache/cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/own_dir.h"
#include "cache/lock.h"
#include "cache/record.h"
#include "remote/remote.h"

struct cache {
        char *path;
        char *aside; // of who only looks; else NULL
        int lock;    // -1: of who only looks
        struct remote *remote;
        pthread_mutex_t mutex; // of what follows
        struct buf needed;     // lines of a record, with doubles
};

// A cache within a cache (scratch.c) shares downloads with the one around it by such a link.
static bool is_shared_kind(int dir, enum cache_kind kind) {
        char target[NAME_MAX];
        ssize_t length = readlinkat(dir, cache_kinds[kind].name, target, sizeof target - 1);
        if (length < 0 || !cache_kinds[kind].downloaded)
                return false;
        target[length] = '\0';
        return strncmp(target, "../", 3) == 0 && strcmp(target + 3, cache_kinds[kind].name) == 0;
}

static bool check_own(int dir, const char *name, const char *shown, struct err *err) {
        auto_close int opened = -1;
        return !fs_exists(dir, name) || own_dir_open(dir, name, OWN_DIR, shown, &opened, err);
}

static bool check_kind(int dir, const char *path, enum cache_kind kind, struct err *err) {
        auto_free char *shown = layout_kind(path, kind);
        return is_shared_kind(dir, kind) || check_own(dir, cache_kinds[kind].name, shown, err);
}

static bool check_place(int dir, const char *path, enum cache_place place, struct err *err) {
        auto_free char *shown = layout_place(path, place);
        return check_own(dir, strrchr(shown, '/') + 1, shown, err);
}

static bool check_directories(const char *path, struct err *err) {
        auto_close int dir = -1;
        if (!own_dir_open(AT_FDCWD, path, OWN_DIR_LINK, path, &dir, err))
                return false;
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++)
                if (!check_kind(dir, path, kind, err))
                        return false;
        return check_place(dir, path, CACHE_USED, err) && check_place(dir, path, CACHE_MOUNTS, err);
}

bool cache_check_owners(const char *path, struct err *err) {
        return !fs_exists(AT_FDCWD, path) || check_directories(path, err) || wrap(err, "preparing the cache");
}

// Takes the path.
static struct cache *cache_new(char *path) {
        struct cache *cache = xcalloc(1, sizeof *cache);
        cache->path = path;
        cache->lock = -1;
        cache->needed.max = RECORD_MAX_BYTES;
        pthread_mutex_init(&cache->mutex, NULL);
        return cache;
}

bool cache_open(const char *path, struct cache **ret, struct err *err) {
        auto_close int lock = -1;
        if (!cache_check_owners(path, err))
                return false;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !lock_cache(path, LOCK_SH, &lock, err)) {
                if (err->kind != ERR_INTERRUPTED)
                        (void)hint(err, "each user needs a cache of their own, on a disk that may be written to: name "
                                        "one with --cache");
                return wrap(err, "preparing the cache");
        }
        char *resolved = realpath(path, NULL);
        if (!resolved)
                return fail(err, ERR_SYSTEM, errno, "find the cache %s", path);
        *ret = cache_new(resolved);
        (*ret)->lock = take_fd(lock);
        return true;
}

bool cache_open_to_look(const char *path, const char *aside, struct cache **ret, struct err *err) {
        assert(*path == '/' && *aside == '/');
        char *resolved = realpath(path, NULL);
        if (!resolved && errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "find the cache %s", path);
        if (!resolved)
                resolved = xstrdup(path);
        *ret = cache_new(resolved);
        (*ret)->aside = xstrdup(aside);
        return true;
}

bool cache_only_looks(const struct cache *cache) { return cache->aside != NULL; }

void cache_close(struct cache *cache) {
        if (!cache)
                return;
        if (cache->remote && cache->lock >= 0)
                remote_hold(cache->remote, take_fd(cache->lock)); // what is uploaded must not go meanwhile
        close_cleanup(&cache->lock);
        buf_release(&cache->needed);
        pthread_mutex_destroy(&cache->mutex);
        free(cache->path);
        free(cache->aside);
        free(cache);
}

void cache_use_remote(struct cache *cache, struct remote *remote) {
        assert(!cache_only_looks(cache) || !remote);
        cache->remote = remote;
}

struct remote *cache_remote(const struct cache *cache) {
        return cache->remote;
}

const char *cache_path(const struct cache *cache) { return cache->path; }

// The directory that a kind's own lies in.
static const char *parent_of_kind(const struct cache *cache, enum cache_kind kind) {
        if (cache->aside && cache_kinds[kind].refreshed)
                return cache->aside;
        return cache->path;
}

char *cache_place(const struct cache *cache, enum cache_place place) {
        if (cache->aside && place == CACHE_MOUNTS)
                return layout_place(cache->aside, place);
        return layout_place(cache->path, place);
}

char *cache_kind_path(const struct cache *cache, enum cache_kind kind) {
        return layout_kind(parent_of_kind(cache, kind), kind);
}

static void note_line(struct cache *cache, const char *kind, const char *name, const char *start) {
        pthread_mutex_lock(&cache->mutex);
        buf_printf(&cache->needed, "%s/%s", kind, name);
        if (start)
                buf_printf(&cache->needed, "/%s", start);
        buf_append_char(&cache->needed, '\n');
        pthread_mutex_unlock(&cache->mutex);
}

char *cache_entry(struct cache *cache, enum cache_kind kind, const char *name) {
        assert(!strchr(name, '/'));
        note_line(cache, cache_kinds[kind].name, name, NULL);
        return layout_entry(parent_of_kind(cache, kind), kind, name);
}

void cache_note_part(struct cache *cache, enum cache_kind kind, const char *name, const char *start) {
        assert(cache_kinds[kind].in_parts);
        note_line(cache, cache_kinds[kind].name, name, start);
}

bool cache_open_kind(const struct cache *cache, enum cache_kind kind, int *ret_fd, struct err *err) {
        assert(!cache_only_looks(cache) || cache_kinds[kind].refreshed);
        auto_free char *path = cache_kind_path(cache, kind);
        auto_close int fd = -1;
        struct stat stat;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &fd, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        mode_t wanted = cache_kinds[kind].mode;
        bool is_private = (wanted & 077) == 0;
        bool is_right = !is_private || (stat.st_mode & 07777) == wanted;
        if (!is_right && fchmod(fd, wanted) < 0) {
                fail(err, ERR_SYSTEM, errno, "close %s to other users", path);
                return hint(err, "a cache belongs to one user: name another with --cache");
        }
        *ret_fd = take_fd(fd);
        return true;
}

bool cache_record(struct cache *cache, const char *purpose, struct err *err, const char *format, ...) {
        assert(!cache_only_looks(cache));
        va_list arguments;
        va_start(arguments, format);
        auto_free char *name = xvasprintf(format, arguments);
        va_end(arguments);
        return record_write(cache->path, purpose, name, buf_text(&cache->needed), err);
}

bool cache_renew_record(struct cache *cache, const char *purpose, struct err *err, const char *format, ...) {
        assert(!cache_only_looks(cache));
        va_list arguments;
        va_start(arguments, format);
        auto_free char *name = xvasprintf(format, arguments);
        va_end(arguments);
        return record_renew(cache->path, purpose, name, buf_text(&cache->needed), err);
}
