// SPDX-License-Identifier: MIT
// File dependencies: "Requires: /usr/bin/perl", and requests that are paths. primary.xml has the files that createrepo
// thinks are asked for; all others are in the file lists, ten times its size, which are loaded only when an answer
// rests on them.
#ifndef KILN_PACKAGES_SOLVE_FILE_DEPENDENCIES_H
#define KILN_PACKAGES_SOLVE_FILE_DEPENDENCIES_H

#include <stdbool.h>

#include "packages/solve/pool.h"

// Adds file provides, makes the index of providers, lets /bin/x and /usr/bin/x answer for each other, and notes in
// packages->unresolved what primary.xml cannot answer; those count as satisfied unless `strict`.
void file_dependencies_prepare(struct packages *packages, bool strict);
bool path_is_in_primary(const char *path);
// "/usr/bin/x" for "/bin/x" and the reverse; heap; NULL: the path has one name.
char *path_across_usrmove(const char *path);
// Why it is not sure that no package has a file, to be appended to a sentence; heap, NULL if it is sure.
char *file_lists_doubt(const struct packages *packages, const char *path);

#endif
