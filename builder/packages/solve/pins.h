// SPDX-License-Identifier: MIT
// Packages that a lock names.
#ifndef KILN_PACKAGES_SOLVE_PINS_H
#define KILN_PACKAGES_SOLVE_PINS_H

#include <solv/pooltypes.h>
#include <stdbool.h>

#include "packages/packages.h"
#include "packages/solve/pool.h"

struct s_Solver;
// Lets go of the held names that stand in the way of an answer, or of packages that a request names. False: none does.
bool limit_release_for_problems(struct packages *packages, struct s_Solver *solver);
bool limit_release_for_request(struct packages *packages, const char *request);
// A package that came from the cache, not from metadata; NULL for any other.
const struct package *revived_find(const struct packages *packages, Id id);
void pins_release(struct packages *packages);

#endif
