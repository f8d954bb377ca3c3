// SPDX-License-Identifier: MIT
// What the parts of a build say of each other: manifest, configuration layers, ISOs.
#ifndef KILN_VERIFY_VERIFY_CONSISTENCY_H
#define KILN_VERIFY_VERIFY_CONSISTENCY_H

#include "verify/published.h"

// Reads manifest.json; notes where it, configuration layers, ISOs and files contradict each other. After verify_sums().
must_check bool verify_consistency(struct published_build *build, struct err *err);

#endif
