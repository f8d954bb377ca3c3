// SPDX-License-Identifier: MIT
// Carries a plan out below a root.
#ifndef KILN_NODE_APPLY_H
#define KILN_NODE_APPLY_H

#include "firmware/node/decide.h"

struct applied {
        size_t changed;     // files written or removed
        int64_t elapsed_ms; // of everything, from the program's start
};

// Writes the plan's files, and removes what the plan names and what only earlier runs wrote (written.h). `is_live`: the
// root is "/", so that cards are renamed and the kernel's host name is set, too. The second time nothing changes.
must_check bool apply_plan(int root, bool is_live, const struct plan *plan, struct applied *ret, struct err *err);

#endif
