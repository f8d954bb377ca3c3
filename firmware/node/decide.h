// SPDX-License-Identifier: MIT
// From a machine to its plan: reads the hardware until it has settled, and asks DHCP if the plan needs it.
#ifndef KILN_NODE_DECIDE_H
#define KILN_NODE_DECIDE_H

#include "firmware/node/machine/machine.h"
#include "firmware/node/plan/plan.h"

// How long it waits for udev to be done with a card while udev has nothing to do: an event may be on its way, or udev
// has failed. For a first card, and while udev is at work, it waits up to the profile's device_timeout_ms.
enum { IDLE_UDEV_WAIT_MS = 10000 };

struct decision {
        struct plan plan;
        int64_t interfaces_ms, dhcp_ms; // waiting; dhcp_ms is -1 if it was not asked
};

must_check bool decide(struct machine *machine, struct decision *ret, struct err *err);
void decision_release(struct decision *decision);

#endif
