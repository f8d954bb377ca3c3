// SPDX-License-Identifier: MIT
#include "cache/lock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/file_lock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache/layout.h"

enum { SUFFIX_BYTES = 8 };

#define REMOVED_SUFFIX ".tmp.removed"

bool lock_cache(const char *cache, int how, int *ret_fd, struct err *err) {
        assert(how == LOCK_SH || how == LOCK_EX);
        auto_free char *path = layout_place(cache, CACHE_LOCK);
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &fd, err) || !file_lock_wait(fd, how, path, cache, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

bool lock_take(int dir, const char *path, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(dir, path, O_RDWR | O_CREAT, 0644, &fd, err) || !file_lock_wait(fd, LOCK_EX, path, NULL, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

static bool is_leftover(const char *entry, const char *name) {
        size_t length = strlen(name);
        return strncmp(entry, name, length) == 0 && entry[length] == '.' && strlen(entry) == length + 1 + SUFFIX_BYTES;
}

bool lock_remove_leftovers(int dir, const char *path, struct err *err) {
        const char *slash = strrchr(path, '/');
        const char *name = path;
        if (slash)
                name = slash + 1;
        auto_free char *parent = fs_parent(path);
        auto_close int opened = -1;
        if (!fs_open_dir(dir, parent, &opened, err))
                return false;
        auto_closedir DIR *stream = NULL;
        if (!fs_open_listing(opened, &stream, err))
                return wrap(err, "%s", parent);
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (is_leftover(entry->d_name, name) && !fs_remove_tree(opened, entry->d_name, err))
                        return wrap(err, "removing what a killed build left");
        return ok;
}

bool lock_remove_entry(int dir, const char *name, struct err *err) {
        auto_free char *removed = xasprintf("%s" REMOVED_SUFFIX, name);
        if (!fs_remove_tree(dir, removed, err))
                return false;
        if (renameat(dir, name, dir, removed) == 0)
                return fs_remove_tree(dir, removed, err);
        // It is gone, or no one may rename it: it is removed where it lies.
        return fs_remove_tree(dir, name, err);
}

bool lock_is_removed(const char *name) {
        size_t length = strlen(name), end = strlen(REMOVED_SUFFIX);
        return length >= end && strcmp(name + length - end, REMOVED_SUFFIX) == 0;
}
