// SPDX-License-Identifier: MIT
// For whom an address may speak. What it says of a machine is believed as far as the address allows: nobody logs in.
#ifndef KILN_SERVE_BOOT_SPEAKER_H
#define KILN_SERVE_BOOT_SPEAKER_H

#include "serve/boot_state.h"

// Whether what comes from `sender` may tell this event. An address that the inventory gives to a node tells of that
// node alone; one that is in no network of the cluster tells of none, unless the node has a card whose network only
// DHCP knows. What else there is may be a machine before it has its own address.
bool boot_may_speak(const struct boot_state *state, const struct cluster *cluster, struct in_addr sender,
                    const struct boot_event *event);

#endif
