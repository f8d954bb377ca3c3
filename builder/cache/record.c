// SPDX-License-Identifier: MIT
#include "cache/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache/layout.h"
#include "cache/lock.h"

// ---- lines ----

static int record_line_order(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void drop_doubles_of(struct record_lines *lines) {
        size_t unique = 0;
        for (size_t i = 0; i < lines->count; i++) {
                bool is_double = unique > 0 && strcmp(lines->items[unique - 1], lines->items[i]) == 0;
                if (!is_double)
                        lines->items[unique++] = lines->items[i];
        }
        lines->count = unique;
}

struct record_lines record_lines_of(const char *text) {
        struct record_lines lines = { .text = xstrdup(text) };
        char *rest = lines.text;
        for (char *line; (line = strsep(&rest, "\n"));)
                if (*line)
                        *array_append(&lines.items, &lines.count) = line;
        if (lines.count)
                qsort(lines.items, lines.count, sizeof *lines.items, record_line_order);
        drop_doubles_of(&lines);
        return lines;
}

bool record_lines_have(const struct record_lines *lines, const char *line) {
        if (lines->count == 0)
                return false;
        return bsearch(&line, lines->items, lines->count, sizeof *lines->items, record_line_order) != NULL;
}

void record_lines_release(struct record_lines *lines) {
        free(lines->text);
        free(lines->items);
        *lines = (struct record_lines){ 0 };
}

// KIND/ENTRY/START
static bool names_part(const char *line) {
        const char *slash = strchr(line, '/');
        return slash && strchr(slash + 1, '/');
}

static bool any_names_part(const struct record_lines *lines) {
        for (size_t i = 0; i < lines->count; i++)
                if (names_part(lines->items[i]))
                        return true;
        return false;
}

static void append_lines(struct buf *to, const struct record_lines *lines, bool parts) {
        for (size_t i = 0; i < lines->count; i++)
                if (parts || !names_part(lines->items[i]))
                        buf_printf(to, "%s\n", lines->items[i]);
}

// ---- the newest ----

static bool is_later(struct timespec left, struct timespec right) {
        if (left.tv_sec != right.tv_sec)
                return left.tv_sec > right.tv_sec;
        return left.tv_nsec > right.tv_nsec;
}

// Other kilns may write theirs meanwhile: what is gone is no error.
static bool find_newest(int dir, const char *but, struct timespec *ret, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        struct stat stat;
        bool ok;
        *ret = (struct timespec){ 0 };
        if (!fs_open_listing(dir, &stream, err))
                return false;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry) {
                bool is_other = strcmp(entry->d_name, but) != 0;
                if (is_other && fstatat(dir, entry->d_name, &stat, 0) == 0 && is_later(stat.st_mtim, *ret))
                        *ret = stat.st_mtim;
        }
        return ok;
}

// Makes a record the newest, also where a clock that was ahead wrote the others.
static bool make_newest(int dir, const char *record, struct err *err) {
        struct timespec newest, now;
        if (!find_newest(dir, record, &newest, err))
                return false;
        clock_gettime(CLOCK_REALTIME, &now);
        if (!is_later(now, newest))
                now = (struct timespec){ .tv_sec = newest.tv_sec + 1 };
        struct timespec times[] = { now, now };
        return utimensat(dir, record, times, 0) == 0 || fail(err, ERR_SYSTEM, errno, "set the time of %s", record);
}

// ---- writing ----

// A record that this process alone writes now.
struct writing {
        char *directory, *name;
        int dir, lock;
};

static void writing_end(struct writing *writing) {
        close_cleanup(&writing->lock);
        close_cleanup(&writing->dir);
        free(writing->name);
        free(writing->directory);
}

// A kiln that was killed while it wrote this record left its temporary file.
static bool writing_begin(const char *cache, const char *purpose, const char *name, struct writing *ret,
                          struct err *err) {
        auto_free char *lock_path = layout_place(cache, CACHE_USED_LOCK);
        *ret = (struct writing){ .dir = -1, .lock = -1 };
        ret->directory = layout_place(cache, CACHE_USED);
        ret->name = xasprintf("%s-%s", purpose, name);
        for (char *slash = ret->name; (slash = strchr(slash, '/'));)
                *slash = '_';
        return fs_mkdirs(AT_FDCWD, ret->directory, 0755, err) &&
               fs_open_dir(AT_FDCWD, ret->directory, &ret->dir, err) &&
               lock_take(AT_FDCWD, lock_path, &ret->lock, err) && lock_remove_leftovers(ret->dir, ret->name, err);
}

static bool write_text(const struct writing *writing, const struct buf *text, struct err *err) {
        if (text->overflow)
                return fail(err, ERR_INTERNAL, 0, "record %s is too large", writing->name);
        if (!fs_write_atomic(writing->dir, writing->name, text->data, text->size, 0644, err))
                return wrap(err, "%s", writing->directory);
        return make_newest(writing->dir, writing->name, err);
}

bool record_write(const char *cache, const char *purpose, const char *name, const char *needed, struct err *err) {
        struct writing writing;
        auto_buf text = { .max = RECORD_MAX_BYTES };
        struct record_lines lines = record_lines_of(needed);
        append_lines(&text, &lines, true);
        bool ok = writing_begin(cache, purpose, name, &writing, err) && write_text(&writing, &text, err);
        writing_end(&writing);
        record_lines_release(&lines);
        return ok;
}

static bool renew(const struct writing *writing, const char *needed, struct err *err) {
        auto_buf before = { .max = RECORD_MAX_BYTES };
        auto_buf after = { .max = RECORD_MAX_BYTES };
        if (!fs_read(writing->dir, writing->name, &before, err))
                return wrap(err, "%s", writing->directory);
        struct record_lines old = record_lines_of(buf_text(&before));
        struct record_lines new = record_lines_of(needed);
        append_lines(&after, &old, !any_names_part(&new));
        buf_append_text(&after, needed);
        struct record_lines both = record_lines_of(buf_text(&after));
        buf_clear(&after);
        append_lines(&after, &both, true);
        record_lines_release(&old);
        record_lines_release(&new);
        record_lines_release(&both);
        if (strcmp(buf_text(&before), buf_text(&after)) == 0)
                return make_newest(writing->dir, writing->name, err);
        return write_text(writing, &after, err);
}

bool record_renew(const char *cache, const char *purpose, const char *name, const char *needed, struct err *err) {
        struct writing writing;
        bool ok = writing_begin(cache, purpose, name, &writing, err);
        if (ok && fs_exists(writing.dir, writing.name))
                ok = renew(&writing, needed, err);
        writing_end(&writing);
        return ok;
}

// ---- reading ----

static int newest_first(const void *left, const void *right) {
        const struct record *a = left, *b = right;
        if (is_later(a->used, b->used))
                return -1;
        if (is_later(b->used, a->used))
                return 1;
        return strcmp(a->name, b->name);
}

bool records_list(const char *cache, struct records *ret, struct err *err) {
        auto_free char *path = layout_place(cache, CACHE_USED);
        auto_closedir DIR *stream = opendir(path);
        struct dirent *entry;
        bool ok;
        *ret = (struct records){ 0 };
        if (!stream)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "list %s", path);
        while ((ok = fs_next_entry(stream, &entry, err)) && entry) {
                struct stat stat;
                if (fstatat(dirfd(stream), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                        return fail(err, ERR_SYSTEM, errno, "stat %s/%s", path, entry->d_name);
                struct record *record = array_append(&ret->items, &ret->count);
                *record = (struct record){ .name = xstrdup(entry->d_name), .used = stat.st_mtim };
        }
        if (ret->count)
                qsort(ret->items, ret->count, sizeof *ret->items, newest_first);
        return ok;
}

void records_release(struct records *records) {
        for (size_t i = 0; i < records->count; i++)
                free(records->items[i].name);
        free(records->items);
        *records = (struct records){ 0 };
}

static char *record_path(const char *cache, const struct record *record) {
        auto_free char *directory = layout_place(cache, CACHE_USED);
        return xasprintf("%s/%s", directory, record->name);
}

bool record_read(const char *cache, const struct record *record, struct buf *ret, struct err *err) {
        auto_free char *path = record_path(cache, record);
        return fs_read(AT_FDCWD, path, ret, err);
}

bool record_remove(const char *cache, const struct record *record, struct err *err) {
        auto_free char *path = record_path(cache, record);
        return fs_remove_tree(AT_FDCWD, path, err);
}
