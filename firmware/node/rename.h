// SPDX-License-Identifier: MIT
// Names of network cards, given now: udev's .link files give them only to cards that it has not seen yet.
#ifndef KILN_NODE_RENAME_H
#define KILN_NODE_RENAME_H

#include "firmware/node/plan/plan.h"

// Cards may change places, so a card whose name another one is to get is called "kiln-r" and its index first. A run
// that follows a killed one goes on from there, because a plan knows cards by their MAC. A card that is up is set down,
// since older kernels rename no other, and set up again: it keeps its addresses, but loses its routes. ERR_SYSTEM.
// `ret_renamed`: how many have another name than before.
must_check bool rename_cards(const struct plan_rename *renames, size_t count, size_t *ret_renamed, struct err *err);

#endif
