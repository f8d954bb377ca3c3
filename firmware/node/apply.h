// SPDX-License-Identifier: MIT
// Carries a plan out below a root.
#ifndef KILN_NODE_APPLY_H
#define KILN_NODE_APPLY_H

#include "firmware/node/decide.h"

struct applied {
        size_t changed;     // files written or removed
        int64_t elapsed_ms; // of everything, from the program's start
};

// Files, then removals (what the plan names, and what earlier runs wrote and the plan does not: written.h), then
// (`is_live`: the root is "/") the kernel's hostname. Twice: no change.
must_check bool apply_plan(int root, bool is_live, const struct plan *plan, struct applied *ret, struct err *err);

#endif
