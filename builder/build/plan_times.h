// SPDX-License-Identifier: MIT
// What steps took when they were last taken, as the notes beside builds say (report/build_report.h).
#ifndef KILN_BUILD_PLAN_TIMES_H
#define KILN_BUILD_PLAN_TIMES_H

#include <jansson.h>

// { STEP: milliseconds } of the builds in that directory, the newest that took the step. A new object.
json_t *plan_times_read(int publication_dir);

#endif
