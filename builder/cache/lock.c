// SPDX-License-Identifier: MIT
#include "cache/lock.h"

#include <assert.h>
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
#include "base/progress.h"
#include "cache/layout.h"

enum { POLL_FIRST_MS = 1, POLL_MS = 200, SUFFIX_BYTES = 8 };

#define REMOVED_SUFFIX ".tmp.removed"

static void pause_ms(long ms) {
        const struct timespec pause = { .tv_nsec = ms * 1000000L };
        nanosleep(&pause, NULL);
}

// Polling, because a signal may interrupt another thread than the one that waits: soon at first, since roles that share
// an entry hold its lock for a millisecond only. `waiting_for` is told once, if given.
static bool wait_for_lock(int fd, int how, const char *path, const char *waiting_for, struct err *err) {
        long wait_ms = POLL_FIRST_MS;
        while (flock(fd, how | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", path);
                if (waiting_for)
                        notice("waiting for another kiln that uses %s", waiting_for);
                waiting_for = NULL;
                if (!interrupt_check(err))
                        return false;
                pause_ms(wait_ms);
                wait_ms *= 2;
                if (wait_ms > POLL_MS)
                        wait_ms = POLL_MS;
        }
        return true;
}

bool lock_cache(const char *cache, int how, int *ret_fd, struct err *err) {
        assert(how == LOCK_SH || how == LOCK_EX);
        auto_free char *path = layout_place(cache, CACHE_LOCK);
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &fd, err) || !wait_for_lock(fd, how, path, cache, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

bool lock_take(int dir, const char *path, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(dir, path, O_RDWR | O_CREAT, 0644, &fd, err) || !wait_for_lock(fd, LOCK_EX, path, NULL, err))
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
