// SPDX-License-Identifier: MIT
// Why the solver has no answer, in sentences for an operator: libsolv finds the rules, the words are kiln's.
#ifndef KILN_PACKAGES_SOLVE_PROBLEM_H
#define KILN_PACKAGES_SOLVE_PROBLEM_H

#include <solv/queue.h>
#include <stdbool.h>

#include "base/err.h"
#include "packages/solve/pool.h"

struct s_Solver;

// Fails with ERR_SOLVE, always: `solver` is one that solver_solve(jobs) left with problems. A solver gives up a package
// at the first thing that it lacks. So what is lacking is taken as provided, and the jobs are solved again, until
// nothing else is found; the index of providers is of no use afterwards.
bool problem_explain(struct packages *packages, struct s_Solver *solver, Queue *jobs, struct err *err);

#endif
