// SPDX-License-Identifier: MIT
// This machine's facts, read from below a root directory, /proc, /sys and (if asked) the network.
#ifndef KILN_NODE_FACTS_MACHINE_H
#define KILN_NODE_FACTS_MACHINE_H

#include "firmware/node/facts/facts.h"
#include "firmware/node/identity/inventory.h"

// Owns what `facts` points to.
struct machine {
        struct arena arena;
        struct inventory inventory;
        struct facts facts;
        int root; // the opened root directory, -1 before
};

// Opens the root and reads /etc/kiln/node.json and the templates it names. `command_line_file`: NULL for /proc/cmdline.
must_check bool machine_open(const char *root, const char *command_line_file, struct machine *ret, struct err *err);
void machine_release(struct machine *machine);

// Ethernet cards, in the order of their index, and SMBIOS. Virtual interfaces only if there is no other.
void machine_read_hardware(struct facts *facts);

// A card's own MAC, also while it is a member of a bond, whose MAC it then shows. `directory` is the card's in
// /sys/class/net; `ask` asks its driver. False: it has no Ethernet address.
typedef bool machine_ask_mac(const char *name, struct mac *ret);
bool machine_card_mac(const char *directory, const char *name, machine_ask_mac *ask, struct mac *ret);

// Whether more cards may appear or change their names: udev is at work, or there is no card yet.
bool machine_is_settling(const struct facts *facts);
// Whether udev has events in its queue.
bool machine_udev_is_busy(void);
// Whether udev is done with this card, so that it keeps its name.
bool machine_interface_is_final(int index);

int64_t machine_now_ms(void);

#endif
