// SPDX-License-Identifier: MIT
// What a transaction leaves in /run. Inside the container, on a transaction's set.
#ifndef KILN_ROOTFS_VOLATILE_H
#define KILN_ROOTFS_VOLATILE_H

#include <stdbool.h>

#include "base/err.h"

struct rpmts_s;

// Removes what lies in /run and no installed package owns.
must_check bool volatile_prune(struct rpmts_s *ts, struct err *err);

#endif
