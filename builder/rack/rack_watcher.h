// SPDX-License-Identifier: MIT
// A process of the rack that learns how far each machine is, so that the supervisor never waits for an answer: it asks
// kiln serve for the stages, and the machines themselves what their roles' health checks say, for builds that report
// nothing.
#ifndef KILN_RACK_RACK_WATCHER_H
#define KILN_RACK_RACK_WATCHER_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base/err.h"
#include "profile/profile.h"

// Starts it; it dies with the caller. `*ret_output`, which does not block, gives a line of JSON for each look:
//     { NODE: { "stage", "percent", "since", "started", "text", "answers" } }
// `stage` to `text` are those of serve's /api/state; "answers" is "none", "some" or "all" of the health checks.
must_check bool rack_watcher_start(const struct cluster *cluster, struct in_addr address, uint16_t port, pid_t *ret_pid,
                                   int *ret_output, struct err *err);

#endif
