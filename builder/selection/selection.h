// SPDX-License-Identifier: MIT
// Which packages a cluster's roles get: what the solver chooses for their requests, or what a lock file says.
#ifndef KILN_SELECTION_SELECTION_H
#define KILN_SELECTION_SELECTION_H

#include "packages/packages.h"
#include "profile/profile.h"
#include "selection/lock_file.h"

struct selection {
        struct package_set base; // what every role of the cluster asks for, built or not
        struct package_set bootloader;
        struct package_set *roles; // one a role, in the order that was asked for
        size_t role_count;
        const struct role *const *asked; // the caller's
};

// What messages say about where a request stands, for packages_options.place_of; the context is the cluster.
char *selection_place_of(const void *context, const char *request);

// Solves for these roles, the base layer and the boot loaders. The cluster has a role. The sets are the selection's,
// what they point to is `packages`'.
must_check bool selection_solve(struct packages *packages, const struct cluster *cluster,
                                const struct role *const *roles, size_t role_count, struct selection *ret,
                                struct err *err);

// The same from a lock file, and from nothing else. If release and profiles are those that were locked, the sets are
// taken as they stand; if they changed since, the locked packages alone are solved: what comes out is told where it
// differs (a warning), and what cannot be had from them is LOCK_FILE, with how to mend it.
must_check bool selection_obey(struct packages *packages, const struct cluster *cluster,
                               const struct role *const *roles, size_t role_count, const struct lock_file *lock,
                               struct selection *ret, struct err *err);

// Solves with every package of an earlier lock as it is, but for those that `names` (names or globs) match, which
// become what a solver without a lock would choose, and for what these need besides. PACKAGE: a name matches nothing.
must_check bool selection_update(struct packages *packages, const struct cluster *cluster,
                                 const struct role *const *roles, size_t role_count, const struct lock_file *lock,
                                 const struct strings *names, struct selection *ret, struct err *err);

// The lock file of a selection of every role. Texts are those of the selection and the cluster.
void selection_lock(const struct selection *selection, const struct cluster *cluster, struct lock_file *ret);

// All packages once, by NEVRA and checksum: what must be downloaded. The caller releases the set.
void selection_all(const struct selection *selection, struct package_set *ret_set);

// Fetches them as one set, so that all downloads share the connections and one progress line; every package of the
// selection then has its path.
must_check bool selection_fetch(const struct selection *selection, struct packages *packages, struct err *err);

bool package_set_has(const struct package_set *set, const char *nevra);
bool package_set_holds(const struct package_set *set, const struct package_set *part);
void selection_release(struct selection *selection);

#endif
