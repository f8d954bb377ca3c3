// SPDX-License-Identifier: MIT
// Where the files that a profile names may lie. A profile may be somebody else's, and what it names is published: so it
// reaches the directory of the cluster file, the folders `overlays` and `kickstart` beside that directory, kiln's own
// files with the examples that are installed with it, and what the user opens by --allow-outside, and nothing else of
// the build host. What counts is where a file really lies, links resolved.
#ifndef KILN_PROFILE_READER_PROFILE_TREE_H
#define KILN_PROFILE_READER_PROFILE_TREE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"

struct profile_tree {
        struct strings places; // real paths of directories; the first is the cluster file's
};

enum tree_answer { TREE_NOTHING, TREE_INSIDE, TREE_OUTSIDE };

// The tree of a cluster file, with `allowed` directories. Memory is the arena's. An allowed directory that is absent is
// an error.
must_check bool profile_tree_open(struct arena *arena, const char *cluster_path, const struct strings *allowed,
                                  struct profile_tree *ret, struct err *err);

// One more file: the user named it, so no profile could.
void profile_tree_allow_file(struct profile_tree *tree, struct arena *arena, const char *path);

// Where a path leads, as seen from the working directory. INSIDE: `ret_real` is its real path, on the arena. A tree of
// NULL holds everything.
enum tree_answer profile_tree_find(const struct profile_tree *tree, struct arena *arena, const char *path,
                                   const char **ret_real);

#endif
