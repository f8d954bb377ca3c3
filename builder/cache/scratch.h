// SPDX-License-Identifier: MIT
// A cache within a cache, for one build that must not take anything from the outer one but what was downloaded:
// <cache>/verify.XXXXXXXX. One at a time.
#ifndef KILN_CACHE_SCRATCH_H
#define KILN_CACHE_SCRATCH_H

#include "base/err.h"
#include "cache/cache.h"

struct scratch {
        char *path; // of the inner cache
        int lock;
};

// Waits until no other kiln has one in this cache, and removes what a killed one left. `scratch_remove` afterwards,
// also after a failure.
must_check bool scratch_make(const struct cache *cache, struct scratch *ret, struct err *err);
void scratch_remove(struct scratch *scratch);

#endif
