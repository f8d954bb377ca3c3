// SPDX-License-Identifier: MIT
#include "cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/lock.h"

enum { POLL_MS = 200, RECORD_MAX = 16 << 20 };

// ---- in use ----

bool cache_take_lock(const char *cache, int how, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/lock", cache);
        auto_close int fd = -1;
        bool told = false;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &fd, err))
                return false;
        while (flock(fd, how | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", path);
                if (!told)
                        notice("waiting for another kiln that uses %s", cache);
                told = true;
                if (!interrupt_check(err))
                        return false;
                nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
        }
        *ret_fd = take_fd(fd);
        return true;
}

bool cache_use_begin(const char *cache, struct cache_use *use, struct err *err) {
        int lock = -1;
        if (!fs_mkdirs(AT_FDCWD, cache, 0755, err) || !cache_take_lock(cache, LOCK_SH, &lock, err))
                return err->kind == ERR_INTERRUPTED
                           ? false
                           : hint(err, "each user needs a cache of their own, on a disk that may be written to: name "
                                       "one with --cache");
        *use = (struct cache_use){ .cache = xstrdup(cache), .lock = lock, .entries = { .max = RECORD_MAX } };
        return true;
}

void cache_use_note(struct cache_use *use, const char *kind, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        buf_printf(&use->entries, "%s/", kind);
        buf_vprintf(&use->entries, format, arguments);
        buf_append_char(&use->entries, '\n');
        va_end(arguments);
}

void cache_use_note_entry(void *use, const char *kind, const char *entry) { cache_use_note(use, kind, "%s", entry); }

static bool is_later(struct timespec left, struct timespec right) {
        return left.tv_sec != right.tv_sec ? left.tv_sec > right.tv_sec : left.tv_nsec > right.tv_nsec;
}

// Other kilns may write theirs meanwhile: what is gone is no error.
static bool find_newest(int records, const char *but, struct timespec *ret, struct err *err) {
        int copy = openat(records, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;
        struct stat stat;
        bool ok;
        *ret = (struct timespec){ 0 };
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list the records of the cache");
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (strcmp(entry->d_name, but) != 0 && fstatat(records, entry->d_name, &stat, 0) == 0 &&
                    is_later(stat.st_mtim, *ret))
                        *ret = stat.st_mtim;
        return ok;
}

// Makes a record the newest, also where a clock that was ahead wrote the others.
static bool renew(int records, const char *record, struct err *err) {
        struct timespec newest, now;
        if (!find_newest(records, record, &newest, err))
                return false;
        clock_gettime(CLOCK_REALTIME, &now);
        if (!is_later(now, newest))
                now = (struct timespec){ .tv_sec = newest.tv_sec + 1 };
        return utimensat(records, record, (struct timespec[]){ now, now }, 0) == 0 ||
               fail(err, ERR_SYSTEM, errno, "set the time of %s", record);
}

// A kiln that was killed while it wrote this record left its temporary file.
static bool lock_record(const char *cache, int records, const char *record, int *ret_lock, struct err *err) {
        auto_free char *lock_path = xasprintf("%s/used.lock", cache);
        return lock_take(AT_FDCWD, lock_path, ret_lock, err) && lock_remove_leftovers(records, record, err);
}

bool cache_use_record(struct cache_use *use, const char *purpose, struct err *err, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *name = xvasprintf(format, arguments);
        va_end(arguments);
        for (char *slash = name; (slash = strchr(slash, '/'));)
                *slash = '_';
        auto_free char *directory = xasprintf("%s/used", use->cache);
        auto_free char *record = xasprintf("%s-%s", purpose, name);
        auto_close int records = -1;
        if (!fs_mkdirs(AT_FDCWD, directory, 0755, err) || !fs_open_dir(AT_FDCWD, directory, &records, err))
                return false;
        auto_close int lock = -1;
        if (!lock_record(use->cache, records, record, &lock, err))
                return false;
        if (use->entries.size == 0 && !fs_exists(records, record))
                return true;
        return (use->entries.size == 0 ||
                fs_write_atomic(records, record, use->entries.data, use->entries.size, 0644, err) ||
                wrap(err, "%s", directory)) &&
               renew(records, record, err);
}

void cache_use_end(struct cache_use *use) {
        if (!use->cache)
                return;
        close(use->lock);
        free(use->cache);
        buf_release(&use->entries);
        *use = (struct cache_use){ 0 };
}
