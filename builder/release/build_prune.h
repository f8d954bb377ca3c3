// SPDX-License-Identifier: MIT
// Old builds go: how many stay is the user's choice, which of them never go is not.
#ifndef KILN_RELEASE_BUILD_PRUNE_H
#define KILN_RELEASE_BUILD_PRUNE_H

#include <stdint.h>

#include "release/build_list.h"

struct build_prune_result {
        bool is_dry; // nothing went: this is what would
        size_t count;
        uint64_t bytes; // that came free
};

// Removes the builds of a list but the `keep` newest whole and the `keep` newest partial ones of each cluster, the one
// that is `current`, those that are marked, those that `kiln serve` holds because machines load them, and both of a
// rollout (DIR/.rollout/journal) that has not brought all nodes to one build. Whoever
// publishes meanwhile waits, and so does this; what `current` names is asked again then. `is_dry`: says which ones
// would go, waits for nobody and removes nothing.
must_check bool builds_prune(const char *out, const struct build_list *list, unsigned keep, bool is_dry,
                             struct build_prune_result *ret, struct err *err);

// Marks a build, so that it is kept, or takes the mark away.
must_check bool build_mark(const char *out, const struct listed_build *build, bool is_marked, struct err *err);

#endif
