// SPDX-License-Identifier: MIT
// The cache as a whole: who uses it now, what each build and fetch used, how large it is, and what may go.
//
//     <cache>/lock          shared by every kiln at work (flock), taken alone by --prune
//     <cache>/used/NAME     one record a build or fetch: lines KIND/ENTRY of what it needs; its time is that of its
//                           last use. "repos/DIR/START": the files of repos/DIR whose names begin so
//     <cache>/used.lock     held by who writes a record
//     <cache>/trimmed       the limit that was last looked at, and the times of the directories then
//
// The entries themselves belong to who makes them: packages/, layers/, squashfs/, kernel/, initrd/, iso/, bootloader/,
// repos/, keys/.
#ifndef KILN_CACHE_CACHE_H
#define KILN_CACHE_CACHE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct cache_use {
        char *cache;
        int lock; // valid while `cache` is set
        struct buf entries;
};

// Waits for the cache's lock, LOCK_SH or LOCK_EX of flock(2), until Ctrl-C.
must_check bool cache_take_lock(const char *cache, int how, int *ret_fd, struct err *err);

// Makes the cache if there is none and marks it as used, so that nothing is pruned meanwhile; waits for a prune that is
// under way.
must_check bool cache_use_begin(const char *cache, struct cache_use *use, struct err *err);
// Notes that an entry is needed: <cache>/<kind>/<name>.
void cache_use_note(struct cache_use *use, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The same for who knows nothing of cache_use; `use` is one.
void cache_use_note_entry(void *use, const char *kind, const char *entry);
// Writes the record <purpose>-<name> with what was noted. With nothing noted, an earlier record only becomes the
// newest.
must_check bool cache_use_record(struct cache_use *use, const char *purpose, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void cache_use_end(struct cache_use *use);

// Prints what the cache holds, a line a kind.
must_check bool cache_print(const char *cache, struct err *err);
// Waits until no kiln uses the cache; then removes every entry that none of the `keep` newest records names.
must_check bool cache_prune(const char *cache, unsigned keep, struct err *err);
// If it is larger than the limit (0: none), removes what the least recently used builds and fetches alone needed, but
// never what the newest needs. Does nothing while another kiln uses the cache.
must_check bool cache_trim(const char *cache, uint64_t limit_bytes, struct err *err);

#endif
