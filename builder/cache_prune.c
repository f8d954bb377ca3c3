// How large the cache is, and what of it may go.
#include "cache.h"

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

enum { METADATA_START = 16, BLOCK_BYTES = 512 };

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

// What vanishes meanwhile is not there: other kilns may be at work.
static void add_size(int dir, const char *name, uint64_t *bytes) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (!S_ISDIR(stat.st_mode)) {
                *bytes += (uint64_t)stat.st_blocks * BLOCK_BYTES; // holes take no room
                return;
        }
        int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        auto_closedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
        for (struct dirent *entry; stream && (entry = readdir(stream));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        add_size(dirfd(stream), entry->d_name, bytes);
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
        return interrupt_check(err) && fs_remove_tree(dir, name, err);
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

// Whether an entry came or went since the cache was last looked through: a build that only wrote configuration adds
// none, and costs no walk. The clock of file systems ticks slowly: the same time may be later.
static bool has_changed(const char *cache) {
        struct stat stat, trimmed;
        auto_free char *mark = xasprintf("%s/" TRIMMED_NAME, cache);
        if (lstat(mark, &trimmed) < 0)
                return true;
        for (size_t i = 0; i < lengthof(kinds); i++) {
                auto_free char *path = xasprintf("%s/%s", cache, kinds[i].name);
                if (lstat(path, &stat) == 0 &&
                    (stat.st_mtim.tv_sec > trimmed.st_mtim.tv_sec || (stat.st_mtim.tv_sec == trimmed.st_mtim.tv_sec &&
                                                                      stat.st_mtim.tv_nsec >= trimmed.st_mtim.tv_nsec)))
                        return true;
        }
        return false;
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
        if (ok && removed.count)
                notice("the cache was over its limit of %.1f GB: %zu entries, %.1f GB, that older builds used are gone",
                       (double)limit_bytes / 1e9, removed.count, (double)removed.bytes / 1e9);
        for (size_t i = 0; i < trim.count; i++)
                free(trim.items[i].line);
        free(trim.items);
        return ok;
}

bool cache_trim(const char *cache, uint64_t limit_bytes, struct err *err) {
        auto_free char *path = xasprintf("%s/lock", cache);
        auto_free char *mark = xasprintf("%s/" TRIMMED_NAME, cache);
        auto_close int lock = -1;
        if (limit_bytes == 0 || !has_changed(cache))
                return true;
        if (!fs_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0644, &lock, err))
                return false;
        if (flock(lock, LOCK_EX | LOCK_NB) < 0) // another kiln is at work, and trims when it ends
                return true;
        return trim_to(cache, limit_bytes, err) && fs_write_atomic(AT_FDCWD, mark, "", 0, 0644, err);
}
