// SPDX-License-Identifier: MIT
// What the solver may take: packages_limit() limits it to the packages of a lock. With LIMIT_NAMES a name is held to
// certain packages until it stands in the way of an answer; then it is released, and stays so until the next
// packages_limit().
#ifndef KILN_PACKAGES_SOLVE_LIMIT_H
#define KILN_PACKAGES_SOLVE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "packages/solve/pool.h"

struct s_Solver;

// Releases the held names that a solver's problems are about; if these are about none, every held name. False: nothing
// was held, so asking again would give the same problems.
bool limit_release_for_problems(struct packages *packages, struct s_Solver *solver);
// Releases the held names that keep a request from naming any package. False: there are none.
bool limit_release_for_requests(struct packages *packages, const char *const *requests, size_t count);

#endif
