// SPDX-License-Identifier: MIT
// This machine's hardware as /sys and /proc show it: its Ethernet cards, SMBIOS, memory and processors.
#ifndef KILN_NODE_FACTS_HARDWARE_H
#define KILN_NODE_FACTS_HARDWARE_H

#include "firmware/node/facts/facts.h"

// Ethernet cards, in the order of their index, SMBIOS and the capacity. Virtual interfaces only if there is no other.
void hardware_read(struct facts *facts);

// A card's own MAC, also while it is a member of a bond, whose MAC it then shows. `directory` is the card's in
// /sys/class/net; `ask` asks its driver. False: it has no Ethernet address.
typedef bool hardware_ask_mac(const char *name, struct mac *ret);
bool hardware_card_mac(const char *directory, const char *name, hardware_ask_mac *ask, struct mac *ret);

// Whether more cards may appear or change their names: udev is at work, or there is no card yet.
bool hardware_is_settling(const struct facts *facts);
// Whether udev is done with this card, and the card still has the name that it had when it was read.
bool hardware_card_is_final(const struct interface *card);

#endif
