// SPDX-License-Identifier: MIT
// A limit for the size of a cache.
#ifndef KILN_CACHE_CACHE_TRIM_H
#define KILN_CACHE_CACHE_TRIM_H

#include <stdint.h>

#include "base/err.h"

// If it is larger than the limit (0: none), removes what the least recently used builds and fetches alone needed, but
// never what the newest needs. Does nothing while another kiln uses the cache, nor where no entry came or went since
// the same limit was last looked at.
must_check bool cache_trim(const char *cache, uint64_t limit_bytes, struct err *err);

#endif
