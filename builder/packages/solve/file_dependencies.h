// SPDX-License-Identifier: MIT
// File dependencies.
#ifndef KILN_PACKAGES_SOLVE_FILE_DEPENDENCIES_H
#define KILN_PACKAGES_SOLVE_FILE_DEPENDENCIES_H

#include <stdbool.h>

#include "packages/solve/pool.h"

// Adds file provides, makes the index of providers, lets /bin/x and /usr/bin/x answer for each other, and notes in
// packages->unresolved what primary.xml cannot answer; those count as satisfied unless `strict`.
void paths_prepare(struct packages *packages, bool strict);
bool path_is_in_primary(const char *path);
char *path_other_side_of_usrmove(const char *path); // heap; NULL if it has none

#endif
