// SPDX-License-Identifier: MIT
#include "cache/cached_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/entry.h"

#define INFO_NAME "info.json"

static int64_t mtime_ns(const struct stat *stat) {
        return (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec;
}

// Digests a file and writes down what it is.
static bool add_file_info(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        auto_close int fd = -1;
        if (strncmp(entry->path, INFO_NAME, strlen(INFO_NAME)) == 0)
                return true;
        if (!fs_open(entry->parent, entry->name, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            !digest_fd("sha256", fd, sha256, err))
                return false;
        if (fsync(fd) < 0)
                return fail(err, ERR_SYSTEM, errno, "write %s", entry->name);
        json_t *info = json_pack("{ss sI sI}", "sha256", sha256, "size", (json_int_t)entry->stat->st_size, "mtime_ns",
                                 (json_int_t)mtime_ns(entry->stat));
        if (json_object_set_new(context, entry->name, info) < 0)
                return fail(err, ERR_INTERNAL, 0, "%s cannot be described", entry->name);
        return true;
}

static bool write_info(int dir, struct err *err) {
        json_t *files = json_object();
        bool ok = fs_walk(dir, add_file_info, files, err);
        auto_free char *text = json_dumps(files, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(files);
        return ok && fs_write_atomic(dir, INFO_NAME, text, strlen(text), 0644, err);
}

static json_t *read_info(int dir) {
        auto_buf text = { 0 };
        auto_err absent = { 0 };
        json_error_t error;
        if (!fs_read(dir, INFO_NAME, &text, &absent))
                return NULL;
        return json_loadb(buf_text(&text), text.size, 0, &error);
}

// As far as size and type tell. `*ret_moved`: its time is another, so that only the digest can tell.
static bool looks_whole(int dir, const char *name, const json_t *info, bool *ret_moved) {
        const char *sealed = json_string_value(json_object_get(info, "sha256"));
        struct stat stat;
        if (!sealed || strlen(sealed) != CACHED_FILE_SHA256_SIZE - 1)
                return false;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
                return false;
        *ret_moved = mtime_ns(&stat) != json_integer_value(json_object_get(info, "mtime_ns"));
        return stat.st_size == json_integer_value(json_object_get(info, "size"));
}

static bool has_digest(int dir, const char *name, const json_t *info) {
        const char *sealed = json_string_value(json_object_get(info, "sha256"));
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        return digest_file("sha256", dir, name, sha256, &ignored) && strcmp(sha256, sealed) == 0;
}

// The name of the first file that is not what was put there, or NULL. The cache may have been copied; then the digests
// decide, and `*ret_moved` is set.
static const char *find_changed(int dir, json_t *info, bool *ret_moved) {
        const char *name;
        json_t *file;
        json_object_foreach(info, name, file) {
                bool moved = false;
                if (!looks_whole(dir, name, file, &moved))
                        return name;
                if (moved && !has_digest(dir, name, file))
                        return name;
                *ret_moved = *ret_moved || moved;
        }
        return NULL;
}

bool cached_file_is_whole(struct cache *cache, enum cache_kind kind, const char *key) {
        auto_free char *path = cache_entry(cache, kind, key);
        const char *name;
        json_t *file;
        auto_err ignored = { 0 };
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, path, &dir, &ignored))
                return false;
        json_t *info = read_info(dir);
        bool is_whole = json_object_size(info) > 0;
        json_object_foreach(info, name, file) {
                bool moved = false;
                if (!looks_whole(dir, name, file, &moved) || moved)
                        is_whole = false;
        }
        json_decref(info);
        return is_whole;
}

// ---- obtaining one ----

struct obtaining {
        const char *name;
        cached_file_make *make;
        void *context;
        struct cached_file *ret;
};

static void take_cached_facts(const json_t *file, struct cached_file *ret) {
        memcpy(ret->sha256, json_string_value(json_object_get(file, "sha256")), sizeof ret->sha256);
        ret->size_bytes = (uint64_t)json_integer_value(json_object_get(file, "size"));
}

// An entry that cannot be read is like one that is damaged: it is made again.
static bool check_cached_file(int dir, const char *path, void *context, bool *ret_whole, struct err *err) {
        const struct obtaining *obtaining = context;
        bool moved = false;
        auto_err ignored = { 0 };
        json_t *info = read_info(dir);
        const json_t *file = json_object_get(info, obtaining->name);
        const char *changed = NULL;
        (void)err;
        if (file)
                changed = find_changed(dir, info, &moved);
        *ret_whole = file && !changed;
        if (changed)
                notice("%s/%s is not what was put there; it is made again", path, changed);
        if (*ret_whole)
                take_cached_facts(file, obtaining->ret);
        if (*ret_whole && moved)
                *ret_whole = write_info(dir, &ignored); // the new times
        json_decref(info);
        return true;
}

static bool make_cached_file(int dir, void *context, struct err *err) {
        const struct obtaining *obtaining = context;
        if (!obtaining->make(dir, obtaining->context, err) || !write_info(dir, err))
                return false;
        json_t *info = read_info(dir);
        const json_t *file = json_object_get(info, obtaining->name);
        if (file)
                take_cached_facts(file, obtaining->ret);
        json_decref(info);
        return file || fail(err, ERR_INTERNAL, 0, "%s was not made", obtaining->name);
}

bool cached_file_obtain(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                        cached_file_make *make, void *context, struct cached_file *ret, struct err *err) {
        assert(!strchr(name, '/'));
        static const struct entry_maker maker = { check_cached_file, make_cached_file };
        struct obtaining obtaining = { name, make, context, ret };
        return entry_obtain(cache, kind, key, &maker, &obtaining, err);
}
