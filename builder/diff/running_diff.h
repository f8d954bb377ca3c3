// SPDX-License-Identifier: MIT
// What becomes of each machine that runs, when a build becomes what it boots: which have to boot again, and why. What
// they run is what kiln serve saw them load, its /api/state.
//
// { "format": 1, "to": {"build","cluster","release","serial","path"},
//   "reboot": so many nodes must boot again, "unknown": of so many it cannot be said,
//   "nodes": { NAME: { "role", "runs": build | null, "stage": of kiln serve, "" where it knows of none,
//       "reboot": true | false | null (unknown),
//       "change", "bytes", "why", "files" (as build_diff.h has them) } } }
#ifndef KILN_DIFF_RUNNING_DIFF_H
#define KILN_DIFF_RUNNING_DIFF_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

// Finds a build of a cluster by its id. `*ret_path` is heap, or NULL: it is not there any more.
typedef bool running_find(void *context, const char *cluster, const char *id, char **ret_path, struct err *err);

// `state` is an object that anybody may have made; CORRUPT if it tells of no machines. `to` is a build's path. `ret` is
// a new object. Other errors are build_diff()'s, of `to`; a build that machines run and that cannot be read is the
// reason why it is unknown what becomes of them.
must_check bool running_diff(const json_t *state, const char *to, running_find *find, void *context, json_t **ret,
                             struct err *err);

// For people; `node`: it alone, or NULL.
void running_diff_print(const json_t *diff, const char *node, struct buf *ret);

#endif
