// SPDX-License-Identifier: MIT
// The state behind packages.h: libsolv's pool with every package of every repository, and what narrows a solver's
// choice. pool.c fills the pool; the other files of solve/ ask it and change the parts named after them.
#ifndef KILN_PACKAGES_SOLVE_POOL_H
#define KILN_PACKAGES_SOLVE_POOL_H

#include <solv/bitmap.h>
#include <solv/pool.h>
#include <solv/pooltypes.h>
#include <solv/queue.h>
#include <solv/repo.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/packages.h"

struct groups;
struct modules;
struct source;

struct packages {
        struct arena arena; // owns every struct package
        const struct release *release;
        struct packages_options options;
        struct source *sources; // one per repository; Repo.appdata points to its own
        size_t source_count;
        Pool *pool;
        struct package **described; // by Id; NULL: nobody asked for it yet (package_describe.h)
        size_t described_count;
        // The choice of the solver.
        Map considered; // what the excludes and includes of release and repositories leave
        enum limit limit;
        Map limited;             // what packages_limit() leaves of that
        Map held;                // LIMIT_NAMES: names (Ids) that are held to certain packages
        size_t released;         // names that were held and are not any more
        Queue obsoleted_told;    // names (Ids) that obsoleted_warn() has warned of
        struct groups *groups;   // loaded by the first "@..." request
        struct modules *modules; // module_streams.h
        // File dependencies (file_dependencies.h).
        bool filelists_loaded, filelists_refused;
        Id paths;           // pseudo package that "requires" paths which libsolv must look up
        Queue wanted_paths; // paths of requests
        Queue unresolved;   // file dependencies that only file lists could answer
        bool prepared;      // the index of providers fits the pool
};

// Loads the primary metadata of all sources. CORRUPT and the errors of metadata_file_open().
must_check bool pool_open(struct packages *packages, struct err *err);
// Adds the file lists of all repositories.
must_check bool pool_load_filelists(struct packages *packages, struct err *err);
void pool_close(struct packages *packages);

// The repository that a package comes from; NULL for kiln's pseudo packages.
static inline struct source *pool_source(const Solvable *solvable) {
        if (!solvable->repo)
                return NULL;
        return solvable->repo->appdata;
}

#endif
