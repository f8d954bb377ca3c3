// SPDX-License-Identifier: MIT
// Packages that a repository without signatures gives in place of signed ones.
#ifndef KILN_PACKAGES_SOLVE_REPLACED_H
#define KILN_PACKAGES_SOLVE_REPLACED_H

#include <solv/queue.h>

struct packages;

// Warns, once for each repository, of packages among `ids` (a solver's answer) that come from a repository with
// TRUST_DIGEST although one with TRUST_SIGNATURE has a package of that name. A lock was looked at when it was made:
// nothing is said of it.
void replaced_warn(struct packages *packages, const Queue *ids);

#endif
