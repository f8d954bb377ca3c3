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

enum { POLL_MS = 200, RECORD_MAX = 16 << 20, METADATA_START = 16 };

// What --prune looks through, and `kiln cache` counts.
static const struct {
        const char *name, *description;
} kinds[] = {
        { "packages", "downloaded packages" }, { "layers", "installed packages" },
        { "squashfs", "packed roots" },        { "initrd", "initial ramdisks" },
        { "iso", "ISOs without their roots" }, { "bootloader", "unpacked boot loaders" },
        { "repos", "repositories' metadata" }, { "keys", "repositories' keys" },
};

// ---- in use ----

static bool take_lock(const char *cache, int how, int *ret_fd, struct err *err) {
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
        if (!fs_mkdirs(AT_FDCWD, cache, 0755, err) || !take_lock(cache, LOCK_SH, &lock, err))
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

// ---- sizes ----

// What vanishes meanwhile is not there: other kilns may be at work.
static void add_size(int dir, const char *name, uint64_t *bytes) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (!S_ISDIR(stat.st_mode)) {
                *bytes += (uint64_t)stat.st_size;
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
        for (struct dirent *entry; (entry = readdir(stream));)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    !visit(dirfd(stream), kind, entry->d_name, context, err))
                        return wrap(err, "%s", path);
        return true;
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

bool cache_prune(const char *cache, unsigned keep, struct err *err) {
        struct prune prune = { .cache = cache, .text = { .max = BUF_MAX_DEFAULT } };
        auto_close int lock = -1;
        if (!fs_exists(AT_FDCWD, cache))
                return true;
        bool ok = take_lock(cache, LOCK_EX, &lock, err) && choose_records(&prune, cache, keep, err);
        for (size_t i = 0; ok && i < lengthof(kinds); i++)
                ok = each_entry(cache, kinds[i].name, prune_entry, &prune, err);
        if (ok)
                print_line("removed", &prune.removed, "");
        for (size_t i = 0; i < prune.record_count; i++)
                free(prune.records[i].name);
        free(prune.records);
        free(prune.needed);
        buf_release(&prune.text);
        return ok;
}
