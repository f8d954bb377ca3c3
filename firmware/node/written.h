// SPDX-License-Identifier: MIT
// What kiln-node has written below a root, one path a line in /var/lib/kiln/files: a machine that becomes another one
// keeps no file of the one it was. While a plan is carried out the list holds what was there and what is coming, so
// that the run after one that was killed knows both.
#ifndef KILN_NODE_WRITTEN_H
#define KILN_NODE_WRITTEN_H

#include "base/buf.h"
#include "firmware/node/plan/plan.h"

struct written {
        char *before; // paths of earlier runs, each with a newline; heap
};

// Reads the list and adds the plan's files to it. `ret` is released in any case.
must_check bool written_begin(int root, const struct plan *plan, struct written *ret, struct err *err);

// Removes what earlier runs wrote and the plan does not, in /etc and /run/systemd/network: files elsewhere are data of
// services, and stay. Then the list holds the plan's files only.
must_check bool written_end(int root, const struct plan *plan, const struct written *written, size_t *ret_removed,
                            struct err *err);

void written_release(struct written *written);

#endif
