// SPDX-License-Identifier: MIT
// What a plan says of secrets: which have a value and from where, which have none and what stays down for that. Values
// themselves are in files of the plan alone (plan_templates.h).
#ifndef KILN_NODE_PLAN_SECRETS_H
#define KILN_NODE_PLAN_SECRETS_H

#include "firmware/node/plan/plan.h"

// An empty file for each secret that has a value and that units wait for (kiln-secret@NAME.service).
#define SECRETS_GIVEN "/run/kiln/secrets"

// Adds values, notes, and the files of SECRETS_GIVEN. `ret_issue`: a line for above "login:", or nothing.
void plan_add_secrets(struct plan *plan, const struct facts *facts, struct buf *ret_issue);

// Whether the machine has it: ERR_REFERENCE with what to do if not.
must_check bool secret_is_given(int root, const char *name, struct err *err);

#endif
