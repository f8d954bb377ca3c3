// Carries a plan out below a root, and reports.
#ifndef KILN_NODE_APPLY_H
#define KILN_NODE_APPLY_H

#include "firmware/node/decide.h"

struct applied {
        size_t changed;     // files written or removed
        int64_t elapsed_ms; // of everything, from the program's start
};

// Files, then removals, then (`is_live`: the root is "/") the kernel's hostname. Twice: no change.
must_check bool apply_plan(int root, bool is_live, const struct plan *plan, struct applied *ret, struct err *err);

// /run/kiln/report.json and /var/lib/kiln/report.json.
must_check bool report_write(const struct machine *machine, const struct decision *decision,
                             const struct applied *applied, struct err *err);

// For the console: "master101 role=master ip=192.168.2.71/24 (mac table) id=1 ... 35 ms", or why the machine is refused
// and what to do. Lines end with a newline and begin with "kiln-node: ".
void report_text(const struct decision *decision, const struct applied *applied, struct buf *ret_text);

// Shows the report on every console but the one that the unit's output goes to.
void report_on_consoles(const char *text);

#endif
