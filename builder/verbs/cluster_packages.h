// SPDX-License-Identifier: MIT
// What `kiln lock` and `kiln fetch` work on: a cluster with all of its roles, whichever would be built, and its opened
// packages.
#ifndef KILN_VERBS_CLUSTER_PACKAGES_H
#define KILN_VERBS_CLUSTER_PACKAGES_H

#include "base/err.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "selection/lock_file.h"
#include "selection/selection.h"
#include "verbs/options.h"

struct cluster_packages {
        const struct options *options; // the caller's
        struct arena arena;
        struct cluster *cluster;
        const struct role **roles; // every role of the cluster
        struct lock_file *lock;    // the one that there is, or NULL
        struct packages *packages;
        struct selection selection;
        struct cache *cache;
};

// The three steps, in this order; `options` must be set. Release it whether they succeeded or not.
must_check bool cluster_packages_load(struct cluster_packages *all, struct err *err);
// `only_locked`: no package but those of the lock file counts.
must_check bool cluster_packages_open(struct cluster_packages *all, bool only_locked, struct err *err);
// Chooses the packages anew, without a lock file.
must_check bool cluster_packages_solve(struct cluster_packages *all, struct err *err);
void cluster_packages_release(struct cluster_packages *all);

#endif
