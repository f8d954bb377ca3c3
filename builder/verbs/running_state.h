// SPDX-License-Identifier: MIT
// What machines run, for the option --running of several verbs.
#ifndef KILN_VERBS_RUNNING_STATE_H
#define KILN_VERBS_RUNNING_STATE_H

#include <jansson.h>

#include "base/err.h"
#include "verbs/options.h"

// What --running names: http://HOST[:PORT] of a kiln serve, whose /api/state is asked; or a cluster file, NAME.yaml,
// whose nodes are asked on its status_port; or a file with what a kiln serve said. `ret` is new. Errors: USAGE for
// another URL and for a cluster without status_port, NETWORK, CORRUPT for what is no JSON, those of reading a file or
// cluster.
must_check bool running_state_read(const struct options *options, json_t **ret, struct err *err);

#endif
