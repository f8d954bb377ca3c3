// SPDX-License-Identifier: MIT
// Where a plan writes what a build would write to the cache while it only looks (cache_open_to_look()): a tmpfs of this
// process's mount namespace, which goes with the process. What the cache has of the kinds that every use refreshes is
// seen there through an overlay.
#ifndef KILN_BUILD_PLAN_ASIDE_H
#define KILN_BUILD_PLAN_ASIDE_H

#include <stdint.h>

#include "base/err.h"

struct plan_aside {
        char *path; // absolute; NULL: none
};

// After sandbox_enter(). `cache` need not be there. Always to be followed by plan_aside_close().
must_check bool plan_aside_open(const char *cache, struct plan_aside *ret, struct err *err);
// Bytes of metadata that were downloaded since, and that a build would download as well.
uint64_t plan_aside_downloaded(const struct plan_aside *aside);
void plan_aside_close(struct plan_aside *aside);

#endif
