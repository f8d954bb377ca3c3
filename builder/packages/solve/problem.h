// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_SOLVE_PROBLEM_H
#define KILN_PACKAGES_SOLVE_PROBLEM_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/solve/pool.h"

// Why it is not sure that no package has a file, to be appended to a sentence; heap, NULL if it is sure.
char *paths_doubt(const struct packages *packages, const char *path);
struct s_Solver;
bool problem_explain(struct packages *packages, struct s_Solver *solver, struct err *err); // fails with ERR_SOLVE

#endif
