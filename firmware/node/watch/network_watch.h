// SPDX-License-Identifier: MIT
// After the network was started: is it what was decided? A machine that says it is well, and that nobody can reach, is
// worse than one that was refused.
#ifndef KILN_NODE_WATCH_NETWORK_WATCH_H
#define KILN_NODE_WATCH_NETWORK_WATCH_H

#include "firmware/node/facts/facts.h"

// Waits until links, addresses and default routes are those of network_record.h and the gateways answer ARP. What is
// still wrong after NETWORK_REPAIR_MS is repaired, at growing intervals: cards that udev did not finish are given to it
// again, and kiln-node.service and the network's are restarted. `tell` gets a line for each repair. `*ret_repairs`: how
// many. ERR_NETWORK with what is wrong, after NETWORK_GIVE_UP_MS, or after GATEWAY_WAIT_MS if only a gateway is silent.
enum { NETWORK_REPAIR_MS = 20000, NETWORK_GIVE_UP_MS = 200000, GATEWAY_WAIT_MS = 20000 };
must_check bool network_watch(int root, const struct facts *facts, void (*tell)(const char *text), int *ret_repairs,
                              struct err *err);

#endif
