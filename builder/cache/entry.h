// SPDX-License-Identifier: MIT
// The one way in which an entry of a cache is made. Whoever holds <name>.lock makes it in the directory
// <name>.tmp.XXXXXXXX beside its place and moves it there by one rename, so that a kill leaves no half of an entry. A
// temporary directory whose lock nobody holds belongs to a build that was killed: the next one removes it.
#ifndef KILN_CACHE_ENTRY_H
#define KILN_CACHE_ENTRY_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "cache/cache.h"

// Looks at the entry in directory `dir`: whether it is as it was made. An error ends all.
typedef bool entry_check(int dir, const char *path, void *context, bool *ret_whole, struct err *err);

struct entry_maker {
        // If the entry is not whole, the function has said so to the user, and the entry is removed and made again.
        entry_check *check;
        // Fills the empty directory `dir`.
        bool (*make)(int dir, void *context, struct err *err);
};

// Finds an entry that is a directory, here or in the remote (cache_use_remote()), or has it made; `context` is the
// maker's. What happens while another kiln makes the same entry is waiting.
must_check bool entry_obtain(struct cache *cache, enum cache_kind kind, const char *name,
                             const struct entry_maker *maker, void *context, struct err *err);

// Whether an entry is there and whole, as `check` says. Waits as entry_obtain() does, but for who only looks into a
// cache (cache_open_to_look()); makes and removes nothing.
must_check bool entry_look(struct cache *cache, enum cache_kind kind, const char *name, entry_check *check,
                           void *context, bool *ret_whole, struct err *err);

// Reads an entry that is one small file of up to ret->max bytes, from here or from the remote. What is not there, or
// cannot be read, is not found.
must_check bool entry_read_file(struct cache *cache, enum cache_kind kind, const char *name, struct buf *ret,
                                bool *ret_found, struct err *err);
// Writes such an entry.
must_check bool entry_write_file(struct cache *cache, enum cache_kind kind, const char *name, const void *data,
                                 size_t size, struct err *err);

#endif
