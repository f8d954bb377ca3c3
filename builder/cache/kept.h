// SPDX-License-Identifier: MIT
// A file that the cache keeps for several builds, in a directory of its own, <cache>/<kind>/<key>/:
//     NAME          the file, read-only, since what is published is a hard link to it
// what else its maker put there, and
//     info.json     {NAME:{"sha256":…,"size":…,"mtime_ns":…},…} of all; written last
#ifndef KILN_CACHE_KEPT_H
#define KILN_CACHE_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { KEPT_SHA256_SIZE = 65 };

struct kept {
        char sha256[KEPT_SHA256_SIZE];
        uint64_t size_bytes;
};

// Makes `name` and what belongs to it in the directory `dir`.
typedef bool kept_make(int dir, void *context, struct err *err);

// Finds the file in the directory `path`, or has it made there: under a lock, in a temporary directory, by one rename.
// Files that were touched since they were sealed (by size and time) are read again, and all is made again if a digest
// differs.
must_check bool kept_obtain(const char *path, const char *name, kept_make *make, void *context, struct kept *ret,
                            struct err *err);

// Whether the entry is there, whole and untouched by the same signs. Nothing is read again.
bool kept_has(const char *path);

#endif
