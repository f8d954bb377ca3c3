// SPDX-License-Identifier: MIT
// A file that the cache has for several builds, in an entry of its own, <cache>/<kind>/<key>/:
//     NAME          the file, read-only, since what is published is a hard link to it
// what else its maker put there, and
//     info.json     {NAME:{"sha256":…,"size":…,"mtime_ns":…},…} of all; written last
#ifndef KILN_CACHE_CACHED_FILE_H
#define KILN_CACHE_CACHED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cache/cache.h"

enum { CACHED_FILE_SHA256_SIZE = 65 };

struct cached_file {
        char sha256[CACHED_FILE_SHA256_SIZE];
        uint64_t size_bytes;
};

// Makes `name` and what belongs to it in the directory `dir`.
typedef bool cached_file_make(int dir, void *context, struct err *err);

// Finds the file `name` of the entry, or has it made. Files that were touched since they were sealed (by size and time)
// are read again, and all is made again if a digest differs.
must_check bool cached_file_obtain(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                                   cached_file_make *make, void *context, struct cached_file *ret, struct err *err);

// Whether the entry is there, whole and untouched by the same signs. Nothing is read again.
bool cached_file_is_whole(struct cache *cache, enum cache_kind kind, const char *key);

#endif
