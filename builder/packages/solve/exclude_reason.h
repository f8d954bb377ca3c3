// SPDX-License-Identifier: MIT
// Why a package that is known may not be installed, in words.
#ifndef KILN_PACKAGES_SOLVE_EXCLUDE_REASON_H
#define KILN_PACKAGES_SOLVE_EXCLUDE_REASON_H

#include <solv/pooltypes.h>

#include "packages/solve/pool.h"

// A clause for a message: the package is excluded (by which pattern), not in the lock, or for another architecture.
// Heap; NULL: it may be installed.
char *exclude_reason(const struct packages *packages, Id id);
// "NEVRA of REPOSITORY", heap.
char *package_full_name(const struct packages *packages, Id id);

#endif
