// SPDX-License-Identifier: MIT
// Why the solver has no answer, in sentences for an operator: libsolv finds the rules, the words are kiln's.
#ifndef KILN_PACKAGES_SOLVE_PROBLEM_H
#define KILN_PACKAGES_SOLVE_PROBLEM_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/solve/pool.h"

struct s_Solver;

// Fails with ERR_SOLVE, always: `solver` is one that solver_solve() left with problems.
bool problem_explain(struct packages *packages, struct s_Solver *solver, struct err *err);

#endif
