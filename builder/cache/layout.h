// SPDX-License-Identifier: MIT
// Where things lie in a cache: the only place that knows. A kind of entry is one line of the table in layout.c; the
// entries of a kind are what lies in its directory, <cache>/<kind>/<name>, and <name>.lock beside it.
#ifndef KILN_CACHE_LAYOUT_H
#define KILN_CACHE_LAYOUT_H

#include <stdbool.h>
#include <sys/types.h>

enum cache_kind {
        CACHE_PACKAGES,
        CACHE_LAYERS,
        CACHE_SQUASHFS,
        CACHE_KERNEL,
        CACHE_INITRD,
        CACHE_ISO,
        CACHE_BOOTLOADER,
        CACHE_REPOS,
        CACHE_KEYS,
        CACHE_KIND_COUNT
};

struct cache_kind_facts {
        const char *name; // of the directory, and in records
        const char *description;
        mode_t mode;     // of the directory
        bool downloaded; // and therefore good for every cache
        bool in_parts;   // an entry is a directory of files that are needed or not, each for itself (cache_note_part())
        bool refreshed;  // by every use: who only looks into a cache has these elsewhere (cache_open_to_look())
};

extern const struct cache_kind_facts cache_kinds[CACHE_KIND_COUNT];

// Of an entry in parts, a record names the files whose names begin with this many characters of a checksum.
enum { CACHE_PART_START = 16 };

// What is no entry.
enum cache_place {
        CACHE_LOCK,      // shared by every kiln at work (flock), taken alone by --prune
        CACHE_USED,      // a directory with the records
        CACHE_USED_LOCK, // held by who writes a record
        CACHE_TRIMMED,   // the limit that was last looked at, and the times of the kinds' directories then
        CACHE_VERIFIED,  // which packages were verified (packages/trust/verified.h)
        CACHE_MOUNTS,    // where a build mounts its layers
        CACHE_SCRATCH,   // how the caches within this one begin (cache/scratch.h)
        CACHE_SCRATCH_LOCK
};

// Heap.
char *layout_place(const char *cache, enum cache_place place);
char *layout_kind(const char *cache, enum cache_kind kind);
char *layout_entry(const char *cache, enum cache_kind kind, const char *name);

#endif
