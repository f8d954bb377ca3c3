// SPDX-License-Identifier: MIT
// Metadata in libsolv.
#ifndef KILN_PACKAGES_SOLVE_POOL_H
#define KILN_PACKAGES_SOLVE_POOL_H

#include <solv/bitmap.h>
#include <solv/pool.h>
#include <solv/pooltypes.h>
#include <solv/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"

struct groups;
struct source;

struct packages {
        struct arena arena;
        const struct release *release;
        struct packages_options options;
        struct source *sources; // one per repository; Repo.appdata points to its own
        size_t source_count;
        Pool *pool;
        Map considered; // what the release's and repositories' excludes and includes leave
        Map limited;    // what packages_limit() leaves of that
        enum limit limit;
        Map held;        // LIMIT_NAMES: names (Ids) that are held to certain packages
        size_t released; // names that were let go
        struct revived { // packages that only the cache has
                Id id;
                const struct package *package;
        } * revived;
        size_t revived_count;
        struct groups *groups; // loaded by the first "@..." request
        bool filelists_loaded, filelists_refused;
        Id paths;           // pseudo package that "requires" paths which libsolv must look up
        Queue wanted_paths; // paths of requests
        Queue unresolved;   // file dependencies that only filelists could answer
        bool prepared;
};

must_check bool pool_open(struct packages *packages, struct err *err);
// Adds the file lists of all repositories.
must_check bool pool_load_filelists(struct packages *packages, struct err *err);
void pool_close(struct packages *packages);
struct source *pool_source(const Solvable *solvable); // NULL for kiln's pseudo packages

#endif
