// SPDX-License-Identifier: MIT
// The files that a role renders on the node: their templates and what they may mention (builder/shared/node_config.h).
#ifndef KILN_NODE_PLAN_TEMPLATES_H
#define KILN_NODE_PLAN_TEMPLATES_H

#include "firmware/node/plan/plan.h"

// `interface`: what the booted system calls the link with the machine's address. ERR_TEMPLATE.
must_check bool plan_add_templates(struct plan *plan, const struct facts *facts, const struct identity *identity,
                                   const char *interface, struct err *err);

#endif
