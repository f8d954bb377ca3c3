// SPDX-License-Identifier: MIT
// A published build against one that was made again.
#ifndef KILN_VERIFY_COMPARE_PUBLISHED_H
#define KILN_VERIFY_COMPARE_PUBLISHED_H

#include "verify/published.h"

// Notes where `build` differs from the build at the path `rebuilt`, which is what it should be.
must_check bool compare_published(struct published_build *build, const char *rebuilt, unsigned jobs, struct err *err);

#endif
