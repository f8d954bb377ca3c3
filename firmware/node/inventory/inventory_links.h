// SPDX-License-Identifier: MIT
// The keys of /etc/kiln/node.json that decide links: a network's mtu, vlan, routes and search, a node's addresses,
// bond, interface and further links (builder/shared/node_config.h).
#ifndef KILN_NODE_INVENTORY_INVENTORY_LINKS_H
#define KILN_NODE_INVENTORY_INVENTORY_LINKS_H

#include <jansson.h>

#include "firmware/node/inventory/inventory.h"

// ERR_SCHEMA. Strings are the arena's.
must_check bool inventory_read_links_of_network(const json_t *json, struct arena *arena,
                                                struct inventory_network *network, struct err *err);
// `inventory` has its networks already. A node with a bond and no MAC takes its first member's.
must_check bool inventory_read_links_of_node(const json_t *json, struct arena *arena, const struct inventory *inventory,
                                             struct inventory_node *node, struct err *err);

#endif
