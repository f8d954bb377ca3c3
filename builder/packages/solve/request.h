// SPDX-License-Identifier: MIT
// Requests to jobs.
#ifndef KILN_PACKAGES_SOLVE_REQUEST_H
#define KILN_PACKAGES_SOLVE_REQUEST_H

#include <solv/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/pool.h"

must_check bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs,
                             struct err *err);
// The packages that a request names, or else (FORM_NONE) those that provide it.
enum form request_match(const struct packages *packages, const char *request, bool installable, Queue *ret);

#endif
