// SPDX-License-Identifier: MIT
// QEMU's machine protocol (docs/interop/qmp-spec.txt): a command to a machine that is on.
#ifndef KILN_RACK_RACK_QMP_H
#define KILN_RACK_RACK_QMP_H

#include <jansson.h>

#include "base/err.h"

// Connects to NODE.control in `dir` and runs the commands, one after the other, until one fails: a list of
// {"execute", "arguments"}. Takes it. TOOL, with QEMU's words, also if it does not answer in seconds.
must_check bool rack_qmp_run(int dir, const char *node, json_t *commands, struct err *err);

#endif
