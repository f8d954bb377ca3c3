// SPDX-License-Identifier: MIT
// An address for a machine that is to be entered into the inventory.
#ifndef KILN_SERVE_FREE_ADDRESS_H
#define KILN_SERVE_FREE_ADDRESS_H

#include "profile/profile.h"

// The first address behind the last node of the first network that nobody has, or else the first one of all; 0: none.
// `own` is this server's, in network byte order; 0: not known. What it costs grows with the inventory, not with the
// network.
struct in_addr next_free_address(const struct cluster *cluster, uint32_t own);

#endif
