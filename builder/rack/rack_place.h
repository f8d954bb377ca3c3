// SPDX-License-Identifier: MIT
// The directory of a rack. It is this user's alone, for who may write to its socket decides what runs.
#ifndef KILN_RACK_RACK_PLACE_H
#define KILN_RACK_RACK_PLACE_H

#include <stdbool.h>

#include "base/err.h"
#include "rack/virtual_rack.h"

#define RACK_LOCK "rack.lock" // nothing else of kiln's is called so: it tells a rack's directory from others
#define RACK_CONTROL "control"
#define RACK_SERVE "serve"

struct rack_place {
        char *path;    // absolute
        int dir, lock; // -1: not opened, not held
};

// Makes the directory if it is not there. `where->state` or `where->name` must be given. SYSTEM: it, or one that kiln
// has made above it, is a link or another user's; REFERENCE: it holds something else than a rack makes.
must_check bool rack_place_open(const struct virtual_rack_name *where, struct rack_place *ret, struct err *err);

// Takes the lock and removes what an earlier rack left, but for its journal. LOCKED: somebody has it; REFERENCE: as
// above.
must_check bool rack_place_take(struct rack_place *place, struct err *err);

// The place of the rack that is up and fits; `*ret_found` false: there is none. REFERENCE: several fit.
must_check bool rack_place_find(const struct virtual_rack_name *where, struct rack_place *ret, bool *ret_found,
                                struct err *err);

void rack_place_release(struct rack_place *place);

#endif
