// SPDX-License-Identifier: MIT
// What builds of this machine could not upload to a remote while they ran.
#ifndef KILN_CACHE_CACHE_PUSH_H
#define KILN_CACHE_CACHE_PUSH_H

#include <stddef.h>

#include "base/err.h"
#include "cache/cache.h"

// Offers what the `record_count` newest records name, as far as it travels and is there, to the cache's remote, which
// takes what it lacks. The caller waits (remote_close()). All but packages and single files is read first: an entry
// that was changed is told and not offered, and `*ret_changed` counts these.
must_check bool cache_push(const struct cache *cache, unsigned record_count, size_t *ret_changed, struct err *err);

#endif
