// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory_find.h"

#include <string.h>
#include <strings.h>

const struct inventory_node *inventory_by_name(const struct inventory *inventory, const char *hostname) {
        for (size_t i = 0; i < inventory->node_count; i++)
                if (strcasecmp(hostname, inventory->nodes[i].name) == 0)
                        return &inventory->nodes[i];
        for (size_t i = 0; i < inventory->node_count; i++)
                if (hostname_names(hostname, inventory->nodes[i].name))
                        return &inventory->nodes[i];
        return NULL;
}

bool inventory_node_has_address(const struct inventory_node *node, uint32_t address) {
        for (size_t i = 0; i < node->address_count; i++)
                if (node->addresses[i].ip == address)
                        return true;
        return node->ip == address;
}

const struct inventory_node *inventory_by_address(const struct inventory *inventory, uint32_t address) {
        for (size_t i = 0; address && i < inventory->node_count; i++)
                if (inventory_node_has_address(&inventory->nodes[i], address))
                        return &inventory->nodes[i];
        return NULL;
}

bool inventory_node_has_mac(const struct inventory_node *node, const struct mac *mac) {
        if (node->has_mac && mac_equal(&node->mac, mac))
                return true;
        for (size_t i = 0; i < node->bond_member_count; i++)
                if (mac_equal(&node->bond_members[i], mac))
                        return true;
        return false;
}

const struct inventory_node *inventory_by_mac(const struct inventory *inventory, const struct mac *mac) {
        for (size_t i = 0; i < inventory->node_count; i++)
                if (inventory_node_has_mac(&inventory->nodes[i], mac))
                        return &inventory->nodes[i];
        return NULL;
}

bool inventory_node_is(const struct inventory *inventory, const struct inventory_node *node, const char *role) {
        for (size_t i = 0; i < inventory->role_count; i++)
                if (strcmp(inventory->roles[i].name, node->role) == 0)
                        return strcmp(node->role, role) == 0 || strings_have(&inventory->roles[i].ancestors, role);
        return strcmp(node->role, role) == 0;
}

const struct inventory_network *inventory_network_of(const struct inventory *inventory, uint32_t address) {
        for (size_t i = 0; address && i < inventory->network_count; i++)
                if (address_in_subnet(address, inventory->networks[i].address, inventory->networks[i].prefix))
                        return &inventory->networks[i];
        return NULL;
}
