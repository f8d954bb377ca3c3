#include "cache.h"

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
                return false;
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

bool cache_use_record(struct cache_use *use, const char *purpose, struct err *err, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *name = xvasprintf(format, arguments);
        va_end(arguments);
        for (char *slash = name; (slash = strchr(slash, '/'));)
                *slash = '_';
        auto_free char *path = xasprintf("%s/used/%s-%s", use->cache, purpose, name);
        if (use->entries.size == 0) {
                (void)!utimensat(AT_FDCWD, path, NULL, 0); // absent: there is nothing to renew
                return true;
        }
        return fs_mkdirs_for(AT_FDCWD, path, 0755, err) &&
               fs_write_atomic(AT_FDCWD, path, use->entries.data, use->entries.size, 0644, err);
}

void cache_use_end(struct cache_use *use) {
        if (!use->cache)
                return;
        close(use->lock);
        free(use->cache);
        buf_release(&use->entries);
        *use = (struct cache_use){ 0 };
}
