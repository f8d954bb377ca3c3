// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/inventory_find.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// The node whose name the host name begins with, with a domain after it: of n2 and n2.dc1 the longer one.
static const struct inventory_node *node_of_longer_name(const struct inventory *inventory, const char *hostname) {
        const struct inventory_node *found = NULL;
        for (size_t i = 0; i < inventory->node_count; i++) {
                const struct inventory_node *node = &inventory->nodes[i];
                bool is_longer = !found || strlen(node->name) > strlen(found->name);
                if (is_longer && hostname_names(hostname, node->name))
                        found = node;
        }
        return found;
}

// How many nodes have a name that begins with the host name, with a domain after it; the first two of them.
static size_t nodes_of_shorter_name(const struct inventory *inventory, const char *hostname,
                                    const struct inventory_node *ret_nodes[static 2]) {
        size_t count = 0;
        for (size_t i = 0; i < inventory->node_count && count < 2; i++)
                if (hostname_names(inventory->nodes[i].name, hostname))
                        ret_nodes[count++] = &inventory->nodes[i];
        return count;
}

static const struct inventory_node *node_of_name(const struct inventory *inventory, const char *hostname) {
        for (size_t i = 0; i < inventory->node_count; i++)
                if (strcasecmp(hostname, inventory->nodes[i].name) == 0)
                        return &inventory->nodes[i];
        return node_of_longer_name(inventory, hostname);
}

const struct inventory_node *inventory_by_name(const struct inventory *inventory, const char *hostname) {
        const struct inventory_node *nodes[2] = { NULL }, *node = node_of_name(inventory, hostname);
        if (node || nodes_of_shorter_name(inventory, hostname, nodes) != 1)
                return node;
        return nodes[0];
}

void inventory_full_name(const char *name, const char *domain, char *ret, size_t size) {
        const char *dot = ".";
        if (!*domain || !*name || strchr(name, '.'))
                domain = dot = "";
        snprintf(ret, size, "%s%s%s", name, dot, domain);
}

bool inventory_name_is_ambiguous(const struct inventory *inventory, const char *hostname,
                                 const struct inventory_node *ret_nodes[static 2]) {
        return !node_of_name(inventory, hostname) && nodes_of_shorter_name(inventory, hostname, ret_nodes) > 1;
}

bool inventory_node_has_address(const struct inventory_node *node, uint32_t address) {
        for (size_t i = 0; i < node->address_count; i++)
                if (node->addresses[i].ip == address)
                        return true;
        for (size_t i = 0; i < node->link_count; i++)
                for (size_t j = 0; j < node->links[i].address_count; j++)
                        if (node->links[i].addresses[j].ip == address)
                                return true;
        return node->ip == address;
}

const struct inventory_node *inventory_by_address(const struct inventory *inventory, uint32_t address) {
        for (size_t i = 0; address && i < inventory->node_count; i++)
                if (inventory_node_has_address(&inventory->nodes[i], address))
                        return &inventory->nodes[i];
        return NULL;
}

static bool inventory_link_has_mac(const struct inventory_link *link, const struct mac *mac) {
        for (size_t i = 0; i < link->bond_member_count; i++)
                if (mac_equal(&link->bond_members[i], mac))
                        return true;
        return mac_equal(&link->mac, mac);
}

const struct inventory_link *inventory_link_of_mac(const struct inventory_node *node, const struct mac *mac) {
        for (size_t i = 0; i < node->link_count; i++)
                if (inventory_link_has_mac(&node->links[i], mac))
                        return &node->links[i];
        return NULL;
}

bool inventory_node_has_mac(const struct inventory_node *node, const struct mac *mac) {
        if (node->has_mac && mac_equal(&node->mac, mac))
                return true;
        for (size_t i = 0; i < node->bond_member_count; i++)
                if (mac_equal(&node->bond_members[i], mac))
                        return true;
        return inventory_link_of_mac(node, mac) != NULL;
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
