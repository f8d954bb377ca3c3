// SPDX-License-Identifier: MIT
// Whose a name, an address or an Ethernet address is. NULL: nobody's.
#ifndef KILN_NODE_INVENTORY_INVENTORY_FIND_H
#define KILN_NODE_INVENTORY_INVENTORY_FIND_H

#include "firmware/node/inventory/inventory.h"

// The node of exactly that name in any letters' case; else the one whose name the host name is, followed by a domain;
// else the only one whose name is the host name, followed by a domain.
const struct inventory_node *inventory_by_name(const struct inventory *inventory, const char *hostname);
// What to ask for a name and the domain that came with it, "" for none: a name that has one already keeps it.
void inventory_full_name(const char *name, const char *domain, char *ret, size_t size);
// The first two nodes that such a short name means as well as each other. False: it means one, or none.
bool inventory_name_is_ambiguous(const struct inventory *inventory, const char *hostname,
                                 const struct inventory_node *ret_nodes[static 2]);
// Further addresses count. Address 0 is nobody's.
const struct inventory_node *inventory_by_address(const struct inventory *inventory, uint32_t address);
// Members of bonds count.
const struct inventory_node *inventory_by_mac(const struct inventory *inventory, const struct mac *mac);
// Whether the node's role is that one or inherits it.
bool inventory_node_is(const struct inventory *inventory, const struct inventory_node *node, const char *role);
const struct inventory_network *inventory_network_of(const struct inventory *inventory, uint32_t address);

bool inventory_node_has_address(const struct inventory_node *node, uint32_t address);  // on any of its links
bool inventory_node_has_mac(const struct inventory_node *node, const struct mac *mac); // of any of its cards
// The further link that the card is for; NULL: none.
const struct inventory_link *inventory_link_of_mac(const struct inventory_node *node, const struct mac *mac);

#endif
