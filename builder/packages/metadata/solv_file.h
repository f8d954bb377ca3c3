// SPDX-License-Identifier: MIT
// .solv files: a repository as libsolv parsed it, followed by a digest that proves that the file is whole. libsolv's
// reader trusts its input, so nothing reaches it that kiln did not write completely.
#ifndef KILN_PACKAGES_METADATA_SOLV_FILE_H
#define KILN_PACKAGES_METADATA_SOLV_FILE_H

#include <solv/repo.h>
#include <stdbool.h>

// `cookie` names what a file was made from.
//
// Reads a cached repository or extension; false if it is absent, stale or damaged. `flags` as for repo_add_solv().
bool solv_cache_read(Repo *repo, const char *path, const char *cookie, int flags);
// Writes repodata areas from `first_area` on (0: whole repository). Failure costs only time: it warns and goes on.
// A process of its own does it, from its copy of the pool, while this one goes on to solve; `writer` is its id, 0
// before.
void solv_cache_write(Repo *repo, const char *path, const char *cookie, int first_area, int *writer);
void solv_cache_wait(int *writer);

#endif
