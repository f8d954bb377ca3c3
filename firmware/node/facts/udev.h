// SPDX-License-Identifier: MIT
// What udev says of its work. `run` is its directory of state, UDEV_RUN on a machine. Where no udev runs, nothing waits
// for it and every name is final.
#ifndef KILN_NODE_FACTS_UDEV_H
#define KILN_NODE_FACTS_UDEV_H

#include <stdbool.h>

#define UDEV_RUN "/run/udev"

// Whether udev has events in its queue.
bool udev_is_busy(const char *run);

// Whether udev is done with the network card of that index, so that it keeps its name. Its entry in the database,
// data/nINDEX, does not say so by being there: since version 249 udev writes one before it renames a card, with
// E:ID_RENAMING=1, and I: (when it was done with it) only afterwards. Who sets a card up in between makes the renaming
// fail, which kernels before 6.2 refuse for a card that is up, and then networkd waits for its end for ever.
bool udev_is_done_with_card(const char *run, int index);

#endif
