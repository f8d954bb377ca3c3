// SPDX-License-Identifier: MIT
// From facts to a plan. Nothing here reads a file or a clock, so that `kiln-node plan` prints on any machine what
// `apply` would do on this one.
#ifndef KILN_NODE_PLAN_MAKE_H
#define KILN_NODE_PLAN_MAKE_H

#include "firmware/node/plan/plan.h"

// Is there on a machine that was refused and may be accepted later (reconsider.h).
#define RECONSIDER_PATH "/run/kiln/reconsider"

// False only for an image that cannot make one (ERR_SCHEMA): a refusal, also for a template that fails, is a plan.
// plan_release() it in any case. The plan points into the facts.
must_check bool plan_make(const struct facts *facts, struct plan *ret, struct err *err);

#endif
