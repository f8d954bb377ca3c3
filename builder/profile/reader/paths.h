// SPDX-License-Identifier: MIT
// Paths that profiles name, on the arena.
#ifndef KILN_PROFILE_READER_PATHS_H
#define KILN_PROFILE_READER_PATHS_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/strings.h"

// `path` as seen from the directory of `file`; absolute ones stay.
const char *path_beside(struct arena *arena, const char *file, const char *path);
// Absolute, links of the file's directory resolved, "." and ".." gone.
const char *path_absolute(struct arena *arena, const char *file, const char *path);
const char *path_absolute_here(struct arena *arena, const char *path); // as seen from the working directory
// The names in a directory that end in `suffix` (which is taken off), sorted; empty if there is no such directory.
struct strings path_names(struct arena *arena, const char *directory, const char *suffix);
const char *path_stem(struct arena *arena, const char *path); // "profiles/roles/base.yaml" -> "base"
bool path_is_directory(const char *path);
bool path_is_file(const char *path);

#endif
