// SPDX-License-Identifier: MIT
// Whose a name, an address or an Ethernet address is. NULL: nobody's.
#ifndef KILN_NODE_INVENTORY_INVENTORY_FIND_H
#define KILN_NODE_INVENTORY_INVENTORY_FIND_H

#include "firmware/node/inventory/inventory.h"

// The node of exactly that name in any letters' case, else the one whose name the host name is, followed by a domain.
const struct inventory_node *inventory_by_name(const struct inventory *inventory, const char *hostname);
// Further addresses count. Address 0 is nobody's.
const struct inventory_node *inventory_by_address(const struct inventory *inventory, uint32_t address);
// Members of bonds count.
const struct inventory_node *inventory_by_mac(const struct inventory *inventory, const struct mac *mac);
// Whether the node's role is that one or inherits it.
bool inventory_node_is(const struct inventory *inventory, const struct inventory_node *node, const char *role);
const struct inventory_network *inventory_network_of(const struct inventory *inventory, uint32_t address);

bool inventory_node_has_address(const struct inventory_node *node, uint32_t address);  // its own, or a further one
bool inventory_node_has_mac(const struct inventory_node *node, const struct mac *mac); // its own, or a bond member's

#endif
