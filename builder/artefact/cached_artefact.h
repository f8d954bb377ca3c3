// SPDX-License-Identifier: MIT
// A file of a role that is kept in the cache, so that builds that agree on it share one file, whose digest is known.
#ifndef KILN_ARTEFACT_CACHED_ARTEFACT_H
#define KILN_ARTEFACT_CACHED_ARTEFACT_H

#include "artefact/artefact.h"
#include "cache/cached_file.h"

struct cached_artefact {
        enum cache_kind kind;
        const char *key;        // digest of everything that decides the file
        const char *name;       // of the file, in the cache's entry and in role->out
        cached_file_make *make; // called if the cache has no entry of that key
        void *context;
};

// Obtains the file, publishes it as a hard link in role->out, and notes its digest (file_sums.h).
must_check bool cached_artefact_publish(const struct artefact_build *build, const struct artefact_role *role,
                                        const struct cached_artefact *artefact, struct cached_file *ret,
                                        struct err *err);

#endif
