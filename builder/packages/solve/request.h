// SPDX-License-Identifier: MIT
// Requests of roles to libsolv's jobs.
#ifndef KILN_PACKAGES_SOLVE_REQUEST_H
#define KILN_PACKAGES_SOLVE_REQUEST_H

#include <solv/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/solve/pool.h"

// Appends jobs "install one of these", as dnf makes them: every package of that name, and those that obsolete one of
// them. PACKAGE, with a line for each request that names nothing; what loading groups may meet. The index of providers
// must be prepared.
must_check bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs,
                             struct err *err);

#endif
