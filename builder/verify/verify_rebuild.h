// SPDX-License-Identifier: MIT
// A published build against what its lock, options and profiles give when they are built again.
#ifndef KILN_VERIFY_VERIFY_REBUILD_H
#define KILN_VERIFY_VERIFY_REBUILD_H

#include "verify/published.h"
#include "verify/verify.h"

// Makes the build again and notes where the published one differs. After verify_consistency(). Errors: INPUTS,
// REFERENCE, and those of build_cluster().
must_check bool verify_rebuild(struct published_build *build, const struct verify_options *options, struct err *err);

#endif
