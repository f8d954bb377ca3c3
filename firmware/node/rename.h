// SPDX-License-Identifier: MIT
// Names of network cards, given now: udev's .link files give them only to cards that it has not seen yet.
#ifndef KILN_NODE_RENAME_H
#define KILN_NODE_RENAME_H

#include "firmware/node/plan/plan.h"

// Cards may change places: each that must make room gets a name of its own first ("kiln-r" and its index), from which a
// run after a kill goes on, because a plan knows cards by their MAC. A card that is up is set down for it, since older
// kernels rename no other, and set up again: its addresses stay, its routes are the network's to make anew.
// ERR_SYSTEM. `ret_renamed`: how many have another name than before.
must_check bool rename_cards(const struct plan_rename *renames, size_t count, size_t *ret_renamed, struct err *err);

#endif
