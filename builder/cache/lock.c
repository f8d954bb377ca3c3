// SPDX-License-Identifier: MIT
#include "cache/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { POLL_MS = 200, SUFFIX_BYTES = 8 };

// Polling, because a signal may interrupt another thread than the one that waits.
bool lock_take(int dir, const char *path, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(dir, path, O_RDWR | O_CREAT, 0644, &fd, err))
                return false;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", path);
                if (!interrupt_check(err))
                        return false;
                nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
        }
        *ret_fd = take_fd(fd);
        return true;
}

static bool is_leftover(const char *entry, const char *name) {
        size_t length = strlen(name);
        return strncmp(entry, name, length) == 0 && entry[length] == '.' && strlen(entry) == length + 1 + SUFFIX_BYTES;
}

bool lock_remove_leftovers(int dir, const char *path, struct err *err) {
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        auto_free char *parent = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
        auto_close int opened = -1;
        if (!fs_open_dir(dir, parent, &opened, err))
                return false;
        int copy = openat(opened, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list %s", parent);
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (is_leftover(entry->d_name, name) && !fs_remove_tree(opened, entry->d_name, err))
                        return wrap(err, "removing what a killed build left");
        return ok;
}

bool lock_remove_entry(int dir, const char *name, struct err *err) {
        auto_free char *removed = xasprintf("%s" LOCK_REMOVED_SUFFIX, name);
        if (!fs_remove_tree(dir, removed, err))
                return false;
        // An entry that cannot be renamed (it is gone, or no one may) is removed where it lies.
        return fs_remove_tree(dir, renameat(dir, name, dir, removed) == 0 ? removed : name, err);
}
