// SPDX-License-Identifier: MIT
// Packages that were asked for by name, and that an answer lacks because another one obsoletes them.
#ifndef KILN_PACKAGES_SOLVE_OBSOLETED_H
#define KILN_PACKAGES_SOLVE_OBSOLETED_H

#include <solv/queue.h>
#include <stddef.h>

#include "packages/solve/pool.h"

// Leaves of `candidates` those that a solver would take first: of the best priority, of these the newest of each name.
void obsoleted_keep_newest(Pool *pool, Queue *candidates);
// What `solvable` obsoletes of the candidates, if it obsoletes all of them; else 0.
Id obsoleted_all_by(Pool *pool, const Solvable *solvable, const Queue *candidates);
// Warns, once for each name, of what was asked for by name and is not among `ids` (a solver's answer) because one of
// these obsoletes it. A lock was looked at when it was made: nothing is said of it.
void obsoleted_warn(struct packages *packages, const char *const *requests, size_t count, const Queue *ids);

#endif
