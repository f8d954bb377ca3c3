// SPDX-License-Identifier: MIT
#include "cache/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/lock.h"

#define INFO_NAME "info.json"

static int64_t mtime_ns(const struct stat *stat) {
        return (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

// Digests a file and writes down what it is.
static bool describe(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        if (strncmp(entry->path, INFO_NAME, strlen(INFO_NAME)) == 0)
                return true;
        if (!fs_open(entry->parent, entry->name, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            !digest_fd("sha256", fd, sha256, err))
                return false;
        if (fsync(fd) < 0)
                return fail(err, ERR_SYSTEM, errno, "write %s", entry->name);
        return json_object_set_new(context, entry->name,
                                   json_pack("{ss sI sI}", "sha256", sha256, "size", (json_int_t)entry->stat->st_size,
                                             "mtime_ns", (json_int_t)mtime_ns(entry->stat))) == 0 ||
               fail(err, ERR_INTERNAL, 0, "%s cannot be described", entry->name);
}

static bool seal(int dir, struct err *err) {
        json_t *files = json_object();
        bool ok = fs_walk(dir, describe, files, err);
        auto_free char *text = json_dumps(files, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(files);
        return ok && fs_write_atomic(dir, INFO_NAME, text, strlen(text), 0644, err);
}

static json_t *read_info(int dir) {
        auto_buf text = { 0 };
        auto_err absent = { 0 };
        json_error_t error;
        return fs_read(dir, INFO_NAME, &text, &absent) ? json_loadb(buf_text(&text), text.size, 0, &error) : NULL;
}

// `*ret_moved`: only the digest can tell.
static bool looks_good(int dir, const char *name, const json_t *info, bool *ret_moved) {
        const char *sealed = json_string_value(json_object_get(info, "sha256"));
        struct stat stat;
        if (!sealed || strlen(sealed) != KEPT_SHA256_SIZE - 1 || fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(stat.st_mode) || stat.st_size != json_integer_value(json_object_get(info, "size")))
                return false;
        *ret_moved = mtime_ns(&stat) != json_integer_value(json_object_get(info, "mtime_ns"));
        return true;
}

// `*moved` is set where only the digest could tell.
static bool is_good(int dir, const char *name, const json_t *info, bool *moved) {
        const char *sealed = json_string_value(json_object_get(info, "sha256"));
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        bool other_time = false;
        if (!looks_good(dir, name, info, &other_time))
                return false;
        if (!other_time)
                return true;
        *moved = true;
        return digest_file("sha256", dir, name, sha256, &ignored) && strcmp(sha256, sealed) == 0;
}

// The cache may have been copied; then the digests decide, and the new times are written down. `*ret_bad` is the file
// (heap) that is not what was put there.
static bool look_through(int dir, json_t *info, char **ret_bad, struct err *err) {
        const char *name;
        json_t *file;
        bool moved = false;
        json_object_foreach(info, name, file) {
                if (is_good(dir, name, file, &moved))
                        continue;
                *ret_bad = xstrdup(name);
                return true;
        }
        return !moved || seal(dir, err);
}

bool kept_has(const char *path) {
        const char *name;
        json_t *file;
        auto_err ignored = { 0 };
        auto_close int dir = -1;
        bool moved = false;
        if (!fs_open_dir(AT_FDCWD, path, &dir, &ignored))
                return false;
        json_t *info = read_info(dir);
        bool has = json_object_size(info) > 0;
        json_object_foreach(info, name, file) has = has && looks_good(dir, name, file, &moved) && !moved;
        json_decref(info);
        return has;
}

// False, without an error, for anything but a complete entry: it is then made anew.
static bool find(const char *path, const char *name, struct kept *ret) {
        auto_err ignored = { 0 };
        auto_free char *bad = NULL;
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, path, &dir, &ignored))
                return false;
        json_t *info = read_info(dir);
        const json_t *file = json_object_get(info, name);
        bool good = file && look_through(dir, info, &bad, &ignored) && !bad;
        if (good) {
                memcpy(ret->sha256, json_string_value(json_object_get(file, "sha256")), sizeof ret->sha256);
                ret->size_bytes = (uint64_t)json_integer_value(json_object_get(file, "size"));
        }
        json_decref(info);
        if (bad)
                notice("%s/%s is not what was put there; it is made again", path, bad);
        return good;
}

static bool make_entry(const char *path, kept_make *make, void *context, struct err *err) {
        auto_free char *temporary = NULL;
        auto_close int dir = -1;
        if (!fs_make_temporary_dir(AT_FDCWD, path, &temporary, err))
                return false;
        bool ok = fs_open_dir(AT_FDCWD, temporary, &dir, err) && make(dir, context, err) && seal(dir, err);
        if (ok && rename(temporary, path) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok) {
                auto_err ignored = { 0 };
                (void)!fs_remove_tree(AT_FDCWD, temporary, &ignored); // the first error is the one to tell
        }
        return ok;
}

bool kept_obtain(const char *path, const char *name, kept_make *make, void *context, struct kept *ret,
                 struct err *err) {
        auto_free char *lock_path = xasprintf("%s.lock", path);
        auto_close int lock = -1; // closing unlocks
        if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err) || !lock_take(AT_FDCWD, lock_path, &lock, err))
                return false;
        if (find(path, name, ret))
                return true;
        if (!fs_remove_tree(AT_FDCWD, path, err) || !lock_remove_leftovers(AT_FDCWD, path, err) ||
            !make_entry(path, make, context, err))
                return false;
        return find(path, name, ret) || fail(err, ERR_INTERNAL, 0, "%s is not complete", path);
}
