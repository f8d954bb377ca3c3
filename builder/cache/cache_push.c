// SPDX-License-Identifier: MIT
#include "cache/cache_push.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cache/record.h"
#include "remote/remote.h"

enum { PACKAGE_DIGITS = 64 };

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

static void push_entry(const struct cache *cache, enum cache_kind kind, const char *name) {
        auto_free char *path = layout_entry(cache_path(cache), kind, name);
        if (!kind_travels(kind) || !fs_exists(AT_FDCWD, path))
                return;
        if (kind == CACHE_PACKAGES)
                push_package(cache, name, path);
        else
                remote_offer(cache_remote(cache), cache_kinds[kind].name, name, path, false);
}

// KIND/ENTRY
static void push_line(const struct cache *cache, const char *line) {
        const char *name = strchr(line, '/');
        if (!name || strchr(name + 1, '/'))
                return;
        for (int kind = 0; kind < CACHE_KIND_COUNT; kind++) {
                size_t length = strlen(cache_kinds[kind].name);
                if (strncmp(line, cache_kinds[kind].name, length) == 0 && line + length == name && name[1])
                        push_entry(cache, kind, name + 1);
        }
}

static bool push_record(const struct cache *cache, const struct record *record, struct err *err) {
        auto_buf text = { .max = RECORD_MAX_BYTES };
        if (!record_read(cache_path(cache), record, &text, err))
                return false;
        struct record_lines lines = record_lines_of(buf_text(&text));
        for (size_t i = 0; i < lines.count; i++)
                push_line(cache, lines.items[i]);
        record_lines_release(&lines);
        return true;
}

bool cache_push(const struct cache *cache, unsigned record_count, struct err *err) {
        assert(cache_remote(cache));
        struct records records = { 0 };
        bool ok = records_list(cache_path(cache), &records, err);
        for (size_t i = 0; ok && i < records.count && i < record_count; i++)
                ok = push_record(cache, &records.items[i], err);
        records_release(&records);
        return ok || wrap(err, "uploading the cache %s", cache_path(cache));
}
