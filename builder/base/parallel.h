// SPDX-License-Identifier: MIT
// The same work on several items, on a bounded number of threads.
#ifndef KILN_BASE_PARALLEL_H
#define KILN_BASE_PARALLEL_H

#include <stddef.h>

#include "base/err.h"

typedef bool parallel_work(size_t index, void *context, struct err *err);

// Calls work(0..count-1, context) on at most `jobs` threads. The first error ends it: items not yet begun
// are left out, those under way are waited for.
must_check bool parallel_for(size_t count, unsigned jobs, parallel_work *work, void *context, struct err *err);

#endif
