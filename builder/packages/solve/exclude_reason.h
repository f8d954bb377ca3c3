// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_SOLVE_EXCLUDE_REASON_H
#define KILN_PACKAGES_SOLVE_EXCLUDE_REASON_H

#include <solv/pooltypes.h>

#include "packages/solve/pool.h"

// Why a package may not be installed: excluded (by what), not in the lock, for another architecture. Heap; NULL: it
// may.
char *obstacle_explain(const struct packages *packages, Id id);
// "NEVRA of REPOSITORY", heap.
char *obstacle_full_name(const struct packages *packages, Id id);

#endif
