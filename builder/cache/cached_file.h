// SPDX-License-Identifier: MIT
// A file that the cache has for several builds, in an entry of its own, <cache>/<kind>/<key>/:
//     NAME          the file, read-only, since what is published is a hard link to it
// what else its maker put there, and
//     info.json     {NAME:{"sha256":…,"size":…},…} of all; written last
//     place.json    {NAME:{"inode":…,"size":…,"mtime_ns":…,"ctime_ns":…},…}: where they lay when they were last
//     compared
//
// A file that lies where it did (base/file_place.h) is taken for what it was. Where it does not, since the cache was
// copied, a build that had a link to it was removed, or somebody wrote to it, its digest decides, and its place is
// noted. Losing place.json costs no more than that, so it is not synced to the disk.
#ifndef KILN_CACHE_CACHED_FILE_H
#define KILN_CACHE_CACHED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file_place.h"
#include "cache/cache.h"

enum { CACHED_FILE_SHA256_SIZE = 65 };

struct cached_file {
        char sha256[CACHED_FILE_SHA256_SIZE];
        uint64_t size_bytes;
        struct file_place place; // when its digest was known to be this
};

// Makes `name` and what belongs to it in the directory `dir`.
typedef bool cached_file_make(int dir, void *context, struct err *err);

// Finds the file `name` of the entry, or has it made. All is made again if a digest differs, which is told.
must_check bool cached_file_obtain(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                                   cached_file_make *make, void *context, struct cached_file *ret, struct err *err);

// Whether the entry is there and whole, by the same signs; what cannot be looked at is not.
bool cached_file_is_whole(struct cache *cache, enum cache_kind kind, const char *key);

// Reads all of an entry, which is open as `dir`, whatever is noted of where it lies. `*ret_difference` is the path of
// the first file that is not what was put there, heap, or NULL. Changes nothing. SYSTEM: it cannot be read.
must_check bool cached_file_look(int dir, char **ret_difference, struct err *err);

// Notes the place of a file that the caller made hard links to, which moved it. Nothing is noted if the file does not
// lie at `place`, where the caller saw it last: somebody else did something to it, and its digest will be asked for.
must_check bool cached_file_note_place(struct cache *cache, enum cache_kind kind, const char *key, const char *name,
                                       const struct file_place *place, struct err *err);

#endif
