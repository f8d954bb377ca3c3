// SPDX-License-Identifier: MIT
#include "cache/cache_push.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cache/cached_file.h"
#include "cache/record.h"
#include "cache/seal.h"
#include "remote/remote.h"

enum { PACKAGE_DIGITS = 64 };

// Records name the same entries again and again.
struct pushing {
        struct arena arena;
        struct strings looked_at; // "KIND/ENTRY"
        size_t changed;
};

// Repositories' metadata is as old as its repository says, and keys are the site's own choice.
static bool kind_travels(enum cache_kind kind) { return kind != CACHE_REPOS && kind != CACHE_KEYS; }

// Of a package whose name is its SHA-256.
static void push_package(const struct cache *cache, const char *name, const char *path) {
        bool is_sha256 =
            strspn(name, "0123456789abcdef") == PACKAGE_DIGITS && strcmp(name + PACKAGE_DIGITS, ".rpm") == 0;
        if (!is_sha256)
                return;
        auto_free char *sha256 = xstrndup(name, PACKAGE_DIGITS);
        remote_offer_blob(cache_remote(cache), sha256, path, false);
}

static bool kind_is_sealed(enum cache_kind kind) { return kind == CACHE_LAYERS || kind == CACHE_BOOTLOADER; }

static bool read_entry_through(enum cache_kind kind, const char *path, char **ret_difference, struct err *err) {
        auto_close int dir = -1;
        if (!fs_open_dir(AT_FDCWD, path, &dir, err))
                return false;
        if (kind_is_sealed(kind))
                return seal_look(dir, true, ret_difference, err);
        return cached_file_look(dir, ret_difference, err);
}

// What is signed here is believed by a whole team, so every byte is read: a build made it, perhaps long ago. A file
// that is an entry by itself names one of the others, and nothing says what it was.
static bool is_as_it_was_made(enum cache_kind kind, const char *path, bool *ret, struct err *err) {
        auto_free char *difference = NULL;
        struct stat stat;
        *ret = true;
        if (lstat(path, &stat) == 0 && S_ISREG(stat.st_mode))
                return true;
        if (!read_entry_through(kind, path, &difference, err))
                return wrap(err, "looking through %s", path);
        if (difference)
                warning(
                    "%s is not uploaded: %s in it was changed since it was made; remove it, and a build makes it again",
                    path, difference);
        *ret = !difference;
        return true;
}

static bool push_entry(const struct cache *cache, enum cache_kind kind, const char *name, size_t *changed,
                       struct err *err) {
        auto_free char *path = layout_entry(cache_path(cache), kind, name);
        bool is_whole;
        if (!kind_travels(kind) || !fs_exists(AT_FDCWD, path))
                return true;
        if (kind == CACHE_PACKAGES) {
                push_package(cache, name, path);
                return true;
        }
        if (!is_as_it_was_made(kind, path, &is_whole, err))
                return false;
        if (is_whole)
                remote_offer(cache_remote(cache), cache_kinds[kind].name, name, path, false);
        else
                (*changed)++;
        return true;
}

// KIND/ENTRY
static bool push_line(const struct cache *cache, const char *line, struct pushing *pushing, struct err *err) {
        const char *name = strchr(line, '/');
        if (!name || !name[1] || strchr(name + 1, '/') || strings_have(&pushing->looked_at, line))
                return true;
        strings_add_once(&pushing->arena, &pushing->looked_at, arena_strdup(&pushing->arena, line));
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                size_t length = strlen(cache_kinds[kind].name);
                if (strncmp(line, cache_kinds[kind].name, length) == 0 && line + length == name)
                        return push_entry(cache, kind, name + 1, &pushing->changed, err);
        }
        return true;
}

static bool push_record(const struct cache *cache, const struct record *record, struct pushing *pushing,
                        struct err *err) {
        auto_buf text = { .max = RECORD_MAX_BYTES };
        if (!record_read(cache_path(cache), record, &text, err))
                return false;
        struct record_lines lines = record_lines_of(buf_text(&text));
        bool ok = true;
        for (size_t i = 0; ok && i < lines.count; i++)
                ok = push_line(cache, lines.items[i], pushing, err);
        record_lines_release(&lines);
        return ok;
}

bool cache_push(const struct cache *cache, unsigned record_count, size_t *ret_changed, struct err *err) {
        assert(cache_remote(cache));
        struct records records = { 0 };
        struct pushing pushing = { 0 };
        bool ok = records_list(cache_path(cache), &records, err);
        for (size_t i = 0; ok && i < records.count && i < record_count; i++)
                ok = push_record(cache, &records.items[i], &pushing, err);
        records_release(&records);
        *ret_changed = pushing.changed;
        arena_release(&pushing.arena);
        return ok || wrap(err, "uploading the cache %s", cache_path(cache));
}
