// SPDX-License-Identifier: MIT
#include "cache/cache_trim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/cache_prune.h"
#include "cache/cache_size.h"
#include "cache/layout.h"
#include "cache/lock.h"
#include "cache/record.h"

enum { MARK_BYTES_MAX = 65536 };

// ---- whether to look ----

// The limit, and when an entry of each kind last came or went. A build that only wrote configuration changes none of
// it, and costs no walk.
static void describe_kinds(const char *cache, uint64_t limit_bytes, struct buf *ret) {
        buf_printf(ret, "limit %llu\n", (unsigned long long)limit_bytes);
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                struct stat stat;
                auto_free char *path = layout_kind(cache, kind);
                if (lstat(path, &stat) == 0)
                        buf_printf(ret, "%s %lld.%09ld\n", cache_kinds[kind].name, (long long)stat.st_mtim.tv_sec,
                                   stat.st_mtim.tv_nsec);
        }
}

// Clocks may go backwards: another time is a change, whether or not it is later.
static bool has_changed(const char *cache, uint64_t limit_bytes) {
        auto_free char *mark = layout_place(cache, CACHE_TRIMMED);
        auto_buf then = { .max = MARK_BYTES_MAX };
        auto_buf now = { .max = MARK_BYTES_MAX };
        auto_err absent = { 0 };
        describe_kinds(cache, limit_bytes, &now);
        return !fs_read(AT_FDCWD, mark, &then, &absent) || strcmp(buf_text(&then), buf_text(&now)) != 0;
}

static bool write_mark(const char *cache, uint64_t limit_bytes, struct err *err) {
        auto_free char *mark = layout_place(cache, CACHE_TRIMMED);
        auto_buf now = { .max = MARK_BYTES_MAX };
        describe_kinds(cache, limit_bytes, &now);
        return fs_write_atomic(AT_FDCWD, mark, now.data, now.size, 0644, err);
}

// ---- what fits ----

struct sized {
        char *line; // KIND/ENTRY
        uint64_t bytes;
        bool counted;
};

struct trim {
        const char *cache;
        enum cache_kind kind;
        struct sized *items; // sorted by line
        size_t count;
        uint64_t bytes; // of all
};

static bool size_entry(int dir, const char *name, void *context, struct err *err) {
        struct trim *trim = context;
        if (lock_is_removed(name))
                return fs_remove_tree(dir, name, err);
        struct sized *sized = array_append(&trim->items, &trim->count);
        *sized = (struct sized){ .line = xasprintf("%s/%s", cache_kinds[trim->kind].name, name) };
        cache_add_size(dir, name, &sized->bytes);
        trim->bytes += sized->bytes;
        return interrupt_check(err);
}

static int sized_order(const void *left, const void *right) {
        return strcmp(((const struct sized *)left)->line, ((const struct sized *)right)->line);
}

static bool size_all(struct trim *trim, struct err *err) {
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                auto_free char *path = layout_kind(trim->cache, kind);
                trim->kind = kind;
                if (!cache_each(path, size_entry, trim, err))
                        return false;
        }
        if (trim->count)
                qsort(trim->items, trim->count, sizeof *trim->items, sized_order);
        return true;
}

static struct sized *find_sized(const struct trim *trim, char *line) {
        if (trim->count == 0)
                return NULL;
        struct sized key = { .line = line };
        return bsearch(&key, trim->items, trim->count, sizeof *trim->items, sized_order);
}

// What a record needs that no newer one did.
static bool count_record(struct trim *trim, const struct record *record, uint64_t *bytes, struct err *err) {
        auto_buf text = { .max = BUF_MAX_DEFAULT };
        if (!record_read(trim->cache, record, &text, err))
                return false;
        struct record_lines lines = record_lines_of(buf_text(&text));
        for (size_t i = 0; i < lines.count; i++) {
                struct sized *found = find_sized(trim, lines.items[i]);
                if (!found || found->counted)
                        continue;
                *bytes += found->bytes;
                found->counted = true;
        }
        record_lines_release(&lines);
        return true;
}

// How many of the newest records fit below the limit: at least one, which is the build that was just made.
static bool count_fitting(struct trim *trim, uint64_t limit_bytes, unsigned *ret_count, struct err *err) {
        struct records records;
        uint64_t bytes = 0;
        unsigned count = 0;
        bool ok = records_list(trim->cache, &records, err);
        for (; ok && count < records.count; count++) {
                ok = count_record(trim, &records.items[count], &bytes, err);
                if (bytes > limit_bytes && count > 0)
                        break;
        }
        records_release(&records);
        *ret_count = count;
        return ok;
}

// ---- trimming ----

// What is left may be more than the limit: the newest build stays, whatever it needs.
static void tell_trimmed(uint64_t limit_bytes, const struct cache_total *removed, uint64_t left_bytes) {
        if (removed->count)
                notice("the cache was over its limit of %.1f GB: %zu entries, %.1f GB, that older builds used are gone",
                       (double)limit_bytes / 1e9, removed->count, (double)removed->bytes / 1e9);
        if (left_bytes > limit_bytes)
                warning("the newest build alone needs %.1f GB of the cache, more than its limit of %.1f GB: raise "
                        "--cache-limit",
                        (double)left_bytes / 1e9, (double)limit_bytes / 1e9);
}

static bool trim_to(struct trim *trim, uint64_t limit_bytes, struct err *err) {
        struct cache_total removed = { 0 };
        unsigned record_count = 0;
        if (!size_all(trim, err))
                return false;
        if (trim->bytes > limit_bytes) {
                if (!count_fitting(trim, limit_bytes, &record_count, err) ||
                    !cache_prune_locked(trim->cache, record_count, &removed, err))
                        return false;
        }
        tell_trimmed(limit_bytes, &removed, trim->bytes - removed.bytes);
        return write_mark(trim->cache, limit_bytes, err);
}

static void trim_release(struct trim *trim) {
        for (size_t i = 0; i < trim->count; i++)
                free(trim->items[i].line);
        free(trim->items);
}

bool cache_trim(const char *cache, uint64_t limit_bytes, struct err *err) {
        auto_free char *path = layout_place(cache, CACHE_LOCK);
        auto_close int lock = -1;
        if (limit_bytes == 0 || !has_changed(cache, limit_bytes))
                return true;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &lock, err))
                return false;
        if (flock(lock, LOCK_EX | LOCK_NB) < 0) // another kiln is at work, and trims when it ends
                return true;
        struct trim trim = { .cache = cache };
        bool ok = trim_to(&trim, limit_bytes, err);
        trim_release(&trim);
        return ok;
}
