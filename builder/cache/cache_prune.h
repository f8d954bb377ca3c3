// SPDX-License-Identifier: MIT
// What of a cache goes: every entry that no recent build or fetch needed.
#ifndef KILN_CACHE_CACHE_PRUNE_H
#define KILN_CACHE_CACHE_PRUNE_H

#include <stdint.h>

#include "base/err.h"
#include "cache/cache_size.h"

// Waits until no kiln uses the cache; then removes every entry that none of the `record_count` newest records names, or
// only counts them (`is_dry`). An absent cache is an empty one; one that others may write to is refused
// (cache_check_owners()): a link in it would have the files of another directory removed.
must_check bool cache_prune(const char *cache, unsigned record_count, bool is_dry, struct cache_total *ret_removed,
                            struct err *err);
// The same for who holds the lock (CACHE_LOCK) alone.
must_check bool cache_prune_locked(const char *cache, unsigned record_count, struct cache_total *ret_removed,
                                   struct err *err);

#endif
