// SPDX-License-Identifier: MIT
// One rollout of a cluster at a time.
#ifndef KILN_ROLLOUT_ROLLOUT_LOCK_H
#define KILN_ROLLOUT_ROLLOUT_LOCK_H

#include <stdbool.h>

#include "base/err.h"

struct rollout_lock {
        int fd; // -1: not held
};

// Takes <dir>/lock. LOCKED, naming who has it, on which host and since when: a living process of this host, or one of
// another host, of which only people know whether it lives; `take` takes it from there. One that a process of this host
// left when it died is taken, and a notice says so.
must_check bool rollout_lock_take(int dir, bool take, struct rollout_lock *ret, struct err *err);
// `keep_owner`: what it was taken for is not over. It is like one that was left by a process that died.
void rollout_lock_release(struct rollout_lock *lock, bool keep_owner);

#endif
