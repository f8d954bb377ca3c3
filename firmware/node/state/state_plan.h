// SPDX-License-Identifier: MIT
// Whether the state disk is this machine's, and what comes of that. `apply` and `plan` both ask it.
#ifndef KILN_NODE_STATE_STATE_PLAN_H
#define KILN_NODE_STATE_STATE_PLAN_H

#include "firmware/node/plan/plan.h"

// ERR_IDENTITY if the machine must not run: no state disk where one is required, or one of another machine. Otherwise
// adds to the plan what the disk lacks, and what the operator should know.
must_check bool state_plan(const struct facts *facts, const struct identity *identity, struct plan *plan,
                           struct err *err);

#endif
