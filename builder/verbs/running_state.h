// SPDX-License-Identifier: MIT
// What machines run, for the option --running of several verbs.
#ifndef KILN_VERBS_RUNNING_STATE_H
#define KILN_VERBS_RUNNING_STATE_H

#include <jansson.h>

#include "base/err.h"

// `from` is http://HOST[:PORT] of a kiln serve, whose /api/state is asked, or a file with what that said. `ret` is new.
// Errors: USAGE for another URL, NETWORK, CORRUPT for what is no JSON, those of reading a file.
must_check bool running_state_read(const char *from, json_t **ret, struct err *err);

#endif
