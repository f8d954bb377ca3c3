// SPDX-License-Identifier: MIT
#include "cache_server/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache_server/internal.h"

enum { BLOCK_BYTES = 4096, SECOND_NS = 1000000000 };

const char *const store_kind_names[STORE_KIND_COUNT] = { [STORE_CAS] = "cas", [STORE_AC] = "ac" };

bool store_name_parse(const char *url, struct store_name *ret) {
        for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
                size_t length = strlen(store_kind_names[kind]);
                bool begins = url[0] == '/' && strncmp(url + 1, store_kind_names[kind], length) == 0;
                if (!begins || url[length + 1] != '/')
                        continue;
                const char *hex = url + length + 2;
                if (strlen(hex) != STORE_HEX_SIZE - 1 || strspn(hex, "0123456789abcdef") != STORE_HEX_SIZE - 1)
                        return false;
                ret->kind = kind;
                memcpy(ret->hex, hex, STORE_HEX_SIZE);
                return true;
        }
        return false;
}

// ---- entries; the lock is held ----

uint64_t store_bytes_on_disk(uint64_t size_bytes) { return (size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES; }

// Names are digests: their first digits are as good as any hash of them.
static struct stored **stored_bucket(const struct store *store, const struct store_name *name) {
        char digits[5] = "";
        memcpy(digits, name->hex, sizeof digits - 1);
        return &store->buckets[strtoul(digits, NULL, 16) % STORE_BUCKETS];
}

struct stored *store_find(const struct store *store, const struct store_name *name) {
        for (struct stored *stored = *stored_bucket(store, name); stored; stored = stored->next)
                if (stored->name.kind == name->kind && strcmp(stored->name.hex, name->hex) == 0)
                        return stored;
        return NULL;
}

static void take_out_of_order(struct store *store, struct stored *stored) {
        if (stored->older)
                stored->older->newer = stored->newer;
        else
                store->oldest = stored->newer;
        if (stored->newer)
                stored->newer->older = stored->older;
        else
                store->newest = stored->older;
        stored->older = stored->newer = NULL;
}

static void put_newest(struct store *store, struct stored *stored) {
        stored->older = store->newest;
        if (store->newest)
                store->newest->newer = stored;
        else
                store->oldest = stored;
        store->newest = stored;
}

struct stored *store_add(struct store *store, const struct store_name *name, uint64_t bytes) {
        assert(!store_find(store, name));
        struct stored *stored = xcalloc(1, sizeof *stored);
        struct stored **bucket = stored_bucket(store, name);
        stored->name = *name;
        stored->bytes = bytes;
        stored->next = *bucket;
        *bucket = stored;
        put_newest(store, stored);
        store->bytes += bytes;
        store->entries[name->kind]++;
        return stored;
}

static void drop_stored(struct store *store, struct stored *stored) {
        assert(stored->readers == 0);
        struct stored **at = stored_bucket(store, &stored->name);
        while (*at != stored)
                at = &(*at)->next;
        *at = stored->next;
        take_out_of_order(store, stored);
        store->bytes -= stored->bytes;
        store->entries[stored->name.kind]--;
        free(stored);
}

static bool is_later_stamp(const struct timespec *time, const struct timespec *than) {
        return time->tv_sec > than->tv_sec || (time->tv_sec == than->tv_sec && time->tv_nsec > than->tv_nsec);
}

// Also where the clock was set back, or reads the same twice.
static struct timespec next_stamp(struct store *store) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if (!is_later_stamp(&now, &store->stamp)) {
                now = store->stamp;
                now.tv_nsec++;
                if (now.tv_nsec == SECOND_NS)
                        now = (struct timespec){ .tv_sec = now.tv_sec + 1 };
        }
        store->stamp = now;
        return now;
}

struct timespec store_touch(struct store *store, struct stored *stored) {
        take_out_of_order(store, stored);
        put_newest(store, stored);
        return next_stamp(store);
}

// What cannot be removed is left where it is, and counts.
static bool evict(struct store *store, struct stored *stored) {
        if (unlinkat(store->kinds[stored->name.kind], stored->name.hex, 0) < 0 && errno != ENOENT)
                return false;
        store->evicted++;
        store->evicted_bytes += stored->bytes;
        drop_stored(store, stored);
        return true;
}

bool store_make_room(struct store *store, uint64_t bytes) {
        struct stored *stored = store->oldest;
        while (store->limit_bytes > 0 && store->bytes + store->pending_bytes + bytes > store->limit_bytes) {
                if (!stored)
                        return false;
                struct stored *next = stored->newer;
                if (stored->readers == 0)
                        (void)evict(store, stored);
                stored = next;
        }
        return true;
}

bool store_free_disk(struct store *store, uint64_t bytes) {
        uint64_t evicted_before = store->evicted, bytes_before = store->evicted_bytes;
        for (struct stored *next, *stored = store->oldest; stored; stored = next) {
                next = stored->newer;
                if (stored->readers == 0 && evict(store, stored) && store->evicted_bytes - bytes_before >= bytes)
                        break;
        }
        return store->evicted > evicted_before;
}

bool store_can_hold(struct store *store, uint64_t size_bytes) {
        struct store_totals totals;
        struct statvfs disk;
        if (fstatvfs(store->dir, &disk) < 0)
                return true; // the upload finds out
        store_count(store, &totals);
        return size_bytes <= (uint64_t)disk.f_bavail * disk.f_frsize + totals.bytes;
}

void store_count(struct store *store, struct store_totals *ret) {
        pthread_mutex_lock(&store->lock);
        *ret = (struct store_totals){ .bytes = store->bytes + store->pending_bytes,
                                      .limit_bytes = store->limit_bytes,
                                      .evicted = store->evicted,
                                      .evicted_bytes = store->evicted_bytes };
        memcpy(ret->entries, store->entries, sizeof ret->entries);
        pthread_mutex_unlock(&store->lock);
}

// ---- reading ----

bool store_use(struct store *store, const struct store_name *name) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
        pthread_mutex_lock(&store->lock);
        struct stored *stored = store_find(store, name);
        if (stored)
                times[1] = store_touch(store, stored);
        pthread_mutex_unlock(&store->lock);
        return stored && utimensat(store->kinds[name->kind], name->hex, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stored *begin_reading(struct store *store, const struct store_name *name, struct timespec *ret) {
        pthread_mutex_lock(&store->lock);
        struct stored *stored = store_find(store, name);
        if (stored) {
                stored->readers++;
                *ret = store_touch(store, stored);
        }
        pthread_mutex_unlock(&store->lock);
        return stored;
}

// `is_gone`: somebody has removed the file.
static void end_reading(struct store *store, struct stored *stored, bool is_gone) {
        pthread_mutex_lock(&store->lock);
        assert(stored->readers > 0);
        stored->readers--;
        if (is_gone && stored->readers == 0)
                drop_stored(store, stored);
        pthread_mutex_unlock(&store->lock);
}

bool store_read(struct store *store, const struct store_name *name, struct store_reading *ret) {
        assert(store && name && ret);
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
        struct stat stat;
        struct stored *stored = begin_reading(store, name, &times[1]);
        if (!stored)
                return false;
        auto_close int fd = openat(store->kinds[name->kind], name->hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
                end_reading(store, stored, errno == ENOENT);
                return false;
        }
        (void)futimens(fd, times);
        *ret = (struct store_reading){ .stored = stored, .fd = take_fd(fd), .size_bytes = (uint64_t)stat.st_size };
        return true;
}

void store_read_end(struct store *store, struct store_reading *reading) {
        close_cleanup(&reading->fd);
        end_reading(store, reading->stored, false);
        *reading = (struct store_reading){ .fd = -1 };
}

bool store_content_of(const struct buf *text, struct store_name *ret) {
        static const char line[] = "\nsha256 ";
        const char *found = strstr(buf_text(text), line);
        if (!found)
                return false;
        const char *hex = found + sizeof line - 1;
        if (strspn(hex, "0123456789abcdef") != STORE_HEX_SIZE - 1)
                return false;
        *ret = (struct store_name){ .kind = STORE_CAS };
        memcpy(ret->hex, hex, STORE_HEX_SIZE - 1);
        return true;
}

// A key whose content is gone leads nowhere; a new one may stand there already.
static void forget(struct store *store, const struct store_name *name) {
        pthread_mutex_lock(&store->lock);
        struct stored *stored = store_find(store, name);
        if (stored && stored->readers == 0 && unlinkat(store->kinds[name->kind], name->hex, 0) == 0)
                drop_stored(store, stored);
        pthread_mutex_unlock(&store->lock);
}

bool store_read_text(struct store *store, const struct store_name *name, struct buf *ret) {
        assert(name->kind == STORE_AC);
        struct store_reading reading;
        struct store_name content;
        auto_err unreadable = { 0 };
        if (!store_read(store, name, &reading))
                return false;
        bool is_read = buf_read_fd(ret, reading.fd, &unreadable);
        store_read_end(store, &reading);
        bool is_there = !store_content_of(ret, &content) || store_use(store, &content);
        if (is_read && !is_there)
                forget(store, name);
        return is_read && is_there;
}
