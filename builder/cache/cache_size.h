// SPDX-License-Identifier: MIT
// How large the entries of a cache are.
#ifndef KILN_CACHE_CACHE_SIZE_H
#define KILN_CACHE_CACHE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cache/layout.h"

struct cache_total {
        size_t count;
        uint64_t bytes;
};

// Adds what an entry takes of the disk: hard links once, holes not at all. A file that is published, too, counts:
// removing it gives nothing back until the build goes.
void cache_add_size(int dir, const char *name, uint64_t *bytes);

// Calls back for everything in a directory. One that is absent has nothing in it.
typedef bool cache_visit(int dir, const char *name, void *context, struct err *err);
must_check bool cache_each(const char *path, cache_visit *visit, void *context, struct err *err);

// <entry>.lock
bool cache_is_lock(const char *name);

void cache_print_total(const char *name, const struct cache_total *total, const char *description);
// What the cache holds.
struct cache_totals {
        struct cache_total kinds[CACHE_KIND_COUNT], all;
};
must_check bool cache_measure(const char *cache, struct cache_totals *ret, struct err *err);
// Prints it, a line a kind.
must_check bool cache_print(const char *cache, struct err *err);

#endif
