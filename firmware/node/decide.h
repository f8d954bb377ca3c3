// SPDX-License-Identifier: MIT
// From a machine to its plan: reads the hardware until it has settled, and asks DHCP if the plan needs it.
#ifndef KILN_NODE_DECIDE_H
#define KILN_NODE_DECIDE_H

#include "firmware/node/machine/machine.h"
#include "firmware/node/plan/plan.h"

// How long cards may take to appear: without one, and while udev is still at work (a slow machine with many disks).
enum { INTERFACE_WAIT_MS = 10000, UDEV_WAIT_MS = 90000 };

struct decision {
        struct plan plan;
        int64_t interfaces_ms, dhcp_ms; // waiting; dhcp_ms is -1 if it was not asked
};

must_check bool decide(struct machine *machine, struct decision *ret, struct err *err);
void decision_release(struct decision *decision);

#endif
