// SPDX-License-Identifier: MIT
// The records of a cache: what each build and fetch needed, and when. See cache/cache.h for their form.
#ifndef KILN_CACHE_RECORD_H
#define KILN_CACHE_RECORD_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"

enum { RECORD_MAX_BYTES = 16 << 20 };

// Writes <purpose>-<name> and makes it the newest. `needed` is lines, in any order, perhaps with doubles.
must_check bool record_write(const char *cache, const char *purpose, const char *name, const char *needed,
                             struct err *err);
// If there is such a record, adds the lines to it and makes it the newest. If parts of entries are among the lines, the
// record's own parts go: metadata of an earlier day is not needed once that of today was opened.
must_check bool record_renew(const char *cache, const char *purpose, const char *name, const char *needed,
                             struct err *err);

struct record {
        char *name;
        struct timespec used;
};

struct records {
        struct record *items; // the newest first
        size_t count;
};

must_check bool records_list(const char *cache, struct records *ret, struct err *err);
void records_release(struct records *records);
// Appends the text of a record.
must_check bool record_read(const char *cache, const struct record *record, struct buf *ret, struct err *err);
must_check bool record_remove(const char *cache, const struct record *record, struct err *err);

// The lines of a text, sorted, each once.
struct record_lines {
        char *text; // cut into lines
        char **items;
        size_t count;
};

struct record_lines record_lines_of(const char *text);
bool record_lines_have(const struct record_lines *lines, const char *line);
void record_lines_release(struct record_lines *lines);

#endif
