// SPDX-License-Identifier: MIT
// The published files against SHA256SUMS.
#ifndef KILN_VERIFY_VERIFY_SUMS_H
#define KILN_VERIFY_VERIFY_SUMS_H

#include "verify/published.h"

// Reads SHA256SUMS, finds every file and digests it; notes what is missing, changed or not listed.
must_check bool verify_sums(struct published_build *build, unsigned jobs, struct err *err);

#endif
