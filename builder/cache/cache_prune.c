// SPDX-License-Identifier: MIT
// How large the cache is, and what of it may go.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/cache.h"
#include "cache/lock.h"

enum { METADATA_START = 16, BLOCK_BYTES = 512, MARK_BYTES_MAX = 65536 };

#define TRIMMED_NAME "trimmed"

// What --prune looks through, and `kiln cache` counts.
static const struct {
        const char *name, *description;
} kinds[] = {
        { "packages", "downloaded packages" },
        { "layers", "installed packages" },
        { "squashfs", "packed roots" },
        { "kernel", "kernels" },
        { "initrd", "initial ramdisks" },
        { "iso", "ISOs without their roots" },
        { "bootloader", "unpacked boot loaders" },
        { "repos", "repositories' metadata" },
        { "keys", "repositories' keys" },
};

// ---- sizes ----

// Files with several names, of one entry: layers have some.
struct names {
        struct name {
                dev_t device;
                ino_t inode;
        } * items;
        size_t count;
};

static bool is_counted(struct names *names, const struct stat *stat) {
        if (S_ISDIR(stat->st_mode) || stat->st_nlink < 2)
                return false;
        for (size_t i = 0; i < names->count; i++)
                if (names->items[i].inode == stat->st_ino && names->items[i].device == stat->st_dev)
                        return true;
        *array_append(&names->items, &names->count) = (struct name){ stat->st_dev, stat->st_ino };
        return false;
}

// What vanishes meanwhile is not there: other kilns may be at work.
static void add_names(int dir, const char *name, struct names *names, uint64_t *bytes) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (!is_counted(names, &stat))
                *bytes += (uint64_t)stat.st_blocks * BLOCK_BYTES; // holes take no room
        if (!S_ISDIR(stat.st_mode))
                return;
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_closedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *entry; stream && (entry = readdir(stream));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        add_names(dirfd(stream), entry->d_name, names, bytes);
}

// A file that is published, too, counts: removing it gives nothing back until the build goes.
static void add_size(int dir, const char *name, uint64_t *bytes) {
        struct names names = { 0 };
        add_names(dir, name, &names, bytes);
        free(names.items);
}

static bool has_suffix(const char *name, const char *suffix) {
        size_t length = strlen(name), end = strlen(suffix);
        return length >= end && strcmp(name + length - end, suffix) == 0;
}

// Calls back for every entry of <cache>/<kind>, locks of entries included. An absent directory has none.
typedef bool visit_entry(int dir, const char *kind, const char *name, void *context, struct err *err);

static bool each_entry(const char *cache, const char *kind, visit_entry *visit, void *context, struct err *err) {
        auto_free char *path = xasprintf("%s/%s", cache, kind);
        auto_closedir DIR *stream = opendir(path);
        if (!stream)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "list %s", path);
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!visit(dirfd(stream), kind, entry->d_name, context, err))
                        return wrap(err, "%s", path);
        return ok;
}

struct total {
        size_t count;
        uint64_t bytes;
};

static bool count_entry(int dir, const char *kind, const char *name, void *context, struct err *err) {
        struct total *total = context;
        (void)kind;
        if (has_suffix(name, ".lock"))
                return true;
        total->count++;
        add_size(dir, name, &total->bytes);
        return interrupt_check(err);
}

static void print_line(const char *name, const struct total *total, const char *description) {
        printf("%-11s %6zu %10.1f MB%s%s\n", name, total->count, (double)total->bytes / 1e6, *description ? "  " : "",
               description);
}

bool cache_print(const char *cache, struct err *err) {
        struct total all = { 0 };
        for (size_t i = 0; i < lengthof(kinds); i++) {
                struct total total = { 0 };
                if (!each_entry(cache, kinds[i].name, count_entry, &total, err))
                        return false;
                print_line(kinds[i].name, &total, kinds[i].description);
                all.count += total.count;
                all.bytes += total.bytes;
        }
        print_line("all", &all, cache);
        return true;
}

// ---- pruning ----

struct record {
        char *name;
        struct timespec used;
};

struct prune {
        const char *cache;
        struct record *records;
        size_t record_count;
        struct buf text; // the records that stay
        char **needed;   // its lines, sorted
        size_t needed_count;
        struct total removed;
};

static bool note_record(int dir, const char *kind, const char *name, void *context, struct err *err) {
        struct prune *prune = context;
        struct stat stat;
        (void)kind;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", name);
        *array_append(&prune->records, &prune->record_count) = (struct record){ xstrdup(name), stat.st_mtim };
        return true;
}

static int newest_first(const void *left, const void *right) {
        const struct record *a = left, *b = right;
        if (a->used.tv_sec != b->used.tv_sec)
                return a->used.tv_sec < b->used.tv_sec ? 1 : -1;
        if (a->used.tv_nsec != b->used.tv_nsec)
                return a->used.tv_nsec < b->used.tv_nsec ? 1 : -1;
        return strcmp(a->name, b->name);
}

static int by_text(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// Reads the newest records and removes the others.
static bool choose_records(struct prune *prune, const char *cache, unsigned keep, struct err *err) {
        if (!each_entry(cache, "used", note_record, prune, err))
                return false;
        if (prune->record_count)
                qsort(prune->records, prune->record_count, sizeof *prune->records, newest_first);
        for (size_t i = 0; i < prune->record_count; i++) {
                auto_free char *path = xasprintf("%s/used/%s", cache, prune->records[i].name);
                bool ok = i < keep ? fs_read(AT_FDCWD, path, &prune->text, err) : fs_remove_tree(AT_FDCWD, path, err);
                if (!ok)
                        return false;
        }
        char *rest = prune->text.data;
        for (char *line; rest && (line = strsep(&rest, "\n"));)
                if (*line)
                        *array_append(&prune->needed, &prune->needed_count) = line;
        if (prune->needed_count)
                qsort(prune->needed, prune->needed_count, sizeof *prune->needed, by_text);
        return true;
}

static bool is_needed(const struct prune *prune, const char *kind, const char *name) {
        size_t length = strlen(name) - (has_suffix(name, ".lock") ? strlen(".lock") : 0);
        auto_free char *line = xasprintf("%s/%.*s", kind, (int)length, name);
        return prune->needed_count &&
               bsearch(&line, prune->needed, prune->needed_count, sizeof *prune->needed, by_text) != NULL;
}

static bool remove_entry(struct prune *prune, int dir, const char *name, struct err *err) {
        if (!has_suffix(name, ".lock")) {
                prune->removed.count++;
                add_size(dir, name, &prune->removed.bytes);
        }
        return interrupt_check(err) && lock_remove_entry(dir, name, err);
}

// Of a repository that is needed: metadata of an earlier day goes, what repomd.xml said and when stays.
static bool prune_metadata(int dir, const char *kind, const char *name, void *context, struct err *err) {
        static const char *const stay[] = { "lock", "newest", "repomd.xml", "repomd.xml.asc", "mirrorlist" };
        struct prune *prune = context;
        auto_free char *start = xasprintf("%.*s", METADATA_START, name);
        for (size_t i = 0; i < lengthof(stay); i++)
                if (strcmp(name, stay[i]) == 0)
                        return true;
        return is_needed(prune, kind, start) || fs_remove_tree(dir, name, err);
}

static bool prune_entry(int dir, const char *kind, const char *name, void *context, struct err *err) {
        struct prune *prune = context;
        if (!is_needed(prune, kind, name))
                return remove_entry(prune, dir, name, err);
        if (strcmp(kind, "repos") != 0)
                return true;
        auto_free char *below = xasprintf("%s/%s", kind, name);
        return each_entry(prune->cache, below, prune_metadata, prune, err);
}

// With the lock held. `keep` records stay.
static bool prune(const char *cache, unsigned keep, struct total *ret_removed, struct err *err) {
        struct prune prune = { .cache = cache, .text = { .max = BUF_MAX_DEFAULT } };
        bool ok = choose_records(&prune, cache, keep, err);
        for (size_t i = 0; ok && i < lengthof(kinds); i++)
                ok = each_entry(cache, kinds[i].name, prune_entry, &prune, err);
        *ret_removed = prune.removed;
        for (size_t i = 0; i < prune.record_count; i++)
                free(prune.records[i].name);
        free(prune.records);
        free(prune.needed);
        buf_release(&prune.text);
        return ok;
}

bool cache_prune(const char *cache, unsigned keep, struct err *err) {
        struct total removed = { 0 };
        auto_close int lock = -1;
        if (!fs_exists(AT_FDCWD, cache))
                return true;
        if (!cache_take_lock(cache, LOCK_EX, &lock, err) || !prune(cache, keep, &removed, err))
                return false;
        print_line("removed", &removed, "");
        return true;
}

// ---- a limit ----

struct sized {
        char *line; // KIND/ENTRY
        uint64_t bytes;
        bool counted;
};

struct trim {
        struct sized *items; // sorted by line
        size_t count;
        uint64_t bytes; // of all
};

static bool size_entry(int dir, const char *kind, const char *name, void *context, struct err *err) {
        struct trim *trim = context;
        if (has_suffix(name, LOCK_REMOVED_SUFFIX))
                return fs_remove_tree(dir, name, err);
        struct sized *sized = array_append(&trim->items, &trim->count);
        *sized = (struct sized){ .line = xasprintf("%s/%s", kind, name) };
        add_size(dir, name, &sized->bytes);
        trim->bytes += sized->bytes;
        return interrupt_check(err);
}

static int by_line(const void *left, const void *right) {
        return strcmp(((const struct sized *)left)->line, ((const struct sized *)right)->line);
}

// What a record needs that no newer one did.
static bool count_record(struct trim *trim, const char *cache, const char *name, uint64_t *bytes, struct err *err) {
        auto_free char *path = xasprintf("%s/used/%s", cache, name);
        auto_buf text = { .max = BUF_MAX_DEFAULT };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return false;
        char *rest = text.data;
        for (char *line; rest && (line = strsep(&rest, "\n"));) {
                struct sized *found = trim->count ? bsearch(&(struct sized){ .line = line }, trim->items, trim->count,
                                                            sizeof *trim->items, by_line)
                                                  : NULL;
                if (found && !found->counted)
                        *bytes += found->bytes;
                if (found)
                        found->counted = true;
        }
        return true;
}

// How many of the newest records fit below the limit: at least one, which is the build that was just made.
static bool choose_keep(struct trim *trim, const char *cache, uint64_t limit_bytes, unsigned *ret_keep,
                        struct err *err) {
        struct prune records = { .cache = cache };
        uint64_t bytes = 0;
        bool ok = each_entry(cache, "used", note_record, &records, err);
        if (ok && records.record_count)
                qsort(records.records, records.record_count, sizeof *records.records, newest_first);
        for (*ret_keep = 0; ok && *ret_keep < records.record_count; (*ret_keep)++) {
                ok = count_record(trim, cache, records.records[*ret_keep].name, &bytes, err);
                if (bytes > limit_bytes && *ret_keep > 0)
                        break;
        }
        for (size_t i = 0; i < records.record_count; i++)
                free(records.records[i].name);
        free(records.records);
        return ok;
}

// The limit, and when an entry of each kind last came or went. A build that only wrote configuration changes none of
// it, and costs no walk.
static void describe(const char *cache, uint64_t limit_bytes, struct buf *ret) {
        buf_printf(ret, "limit %llu\n", (unsigned long long)limit_bytes);
        for (size_t i = 0; i < lengthof(kinds); i++) {
                struct stat stat;
                auto_free char *path = xasprintf("%s/%s", cache, kinds[i].name);
                if (lstat(path, &stat) == 0)
                        buf_printf(ret, "%s %lld.%09ld\n", kinds[i].name, (long long)stat.st_mtim.tv_sec,
                                   stat.st_mtim.tv_nsec);
        }
}

// Clocks may go backwards: another time is a change, whether or not it is later.
static bool has_changed(const char *cache, uint64_t limit_bytes) {
        auto_free char *mark = xasprintf("%s/" TRIMMED_NAME, cache);
        auto_buf then = { .max = MARK_BYTES_MAX };
        auto_buf now = { .max = MARK_BYTES_MAX };
        auto_err absent = { 0 };
        describe(cache, limit_bytes, &now);
        return !fs_read(AT_FDCWD, mark, &then, &absent) || strcmp(buf_text(&then), buf_text(&now)) != 0;
}

static bool write_mark(const char *cache, uint64_t limit_bytes, struct err *err) {
        auto_free char *mark = xasprintf("%s/" TRIMMED_NAME, cache);
        auto_buf now = { .max = MARK_BYTES_MAX };
        describe(cache, limit_bytes, &now);
        return fs_write_atomic(AT_FDCWD, mark, now.data, now.size, 0644, err);
}

// What is left may be more than the limit: the newest build stays, whatever it needs.
static void tell(uint64_t limit_bytes, const struct total *removed, uint64_t left_bytes) {
        if (removed->count)
                notice("the cache was over its limit of %.1f GB: %zu entries, %.1f GB, that older builds used are gone",
                       (double)limit_bytes / 1e9, removed->count, (double)removed->bytes / 1e9);
        if (left_bytes > limit_bytes)
                warning("the newest build alone needs %.1f GB of the cache, more than its limit of %.1f GB: raise "
                        "--cache-limit",
                        (double)left_bytes / 1e9, (double)limit_bytes / 1e9);
}

static bool trim_to(const char *cache, uint64_t limit_bytes, struct err *err) {
        struct trim trim = { 0 };
        struct total removed = { 0 };
        unsigned keep = 0;
        bool ok = true;
        for (size_t i = 0; ok && i < lengthof(kinds); i++)
                ok = each_entry(cache, kinds[i].name, size_entry, &trim, err);
        if (trim.count)
                qsort(trim.items, trim.count, sizeof *trim.items, by_line);
        if (ok && trim.bytes > limit_bytes)
                ok = choose_keep(&trim, cache, limit_bytes, &keep, err) && prune(cache, keep, &removed, err);
        if (ok)
                tell(limit_bytes, &removed, trim.bytes - removed.bytes);
        for (size_t i = 0; i < trim.count; i++)
                free(trim.items[i].line);
        free(trim.items);
        return ok;
}

bool cache_trim(const char *cache, uint64_t limit_bytes, struct err *err) {
        auto_free char *path = xasprintf("%s/lock", cache);
        auto_close int lock = -1;
        if (limit_bytes == 0 || !has_changed(cache, limit_bytes))
                return true;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &lock, err))
                return false;
        if (flock(lock, LOCK_EX | LOCK_NB) < 0) // another kiln is at work, and trims when it ends
                return true;
        return trim_to(cache, limit_bytes, err) && write_mark(cache, limit_bytes, err);
}
