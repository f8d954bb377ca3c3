// SPDX-License-Identifier: MIT
// Which nodes count as nodes of which role, and which cards as a node's: checks, templates and artefacts ask.
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"

bool role_is(const struct role *role, const char *name) {
        return strcmp(role->name, name) == 0 || strings_have(&role->ancestors, name);
}

size_t *cluster_members(const struct cluster *cluster, const char *name, size_t *ret_count) {
        size_t *members = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < cluster->node_count; i++) {
                size_t role = cluster->nodes[i].role;
                bool is_known = role < cluster->role_count; // an unknown one is reported
                if (is_known && role_is(&cluster->roles[role], name))
                        *array_append(&members, ret_count) = i;
        }
        return members;
}

const struct role *cluster_ensemble_of(const struct cluster *cluster, const struct role *role) {
        const struct role *oldest = role;
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *other = &cluster->roles[i];
                if (other->ensemble && role_is(oldest, other->name))
                        oldest = other;
        }
        return oldest;
}

static void add_node_mac(struct node_mac **macs, size_t *count, const unsigned char bytes[static 6]) {
        for (size_t i = 0; i < *count; i++)
                if (memcmp((*macs)[i].bytes, bytes, sizeof(*macs)[i].bytes) == 0)
                        return;
        memcpy(((struct node_mac *)array_append(macs, count))->bytes, bytes, 6);
}

static void add_members_macs(struct node_mac **macs, size_t *count, const struct bond *bond) {
        unsigned char bytes[6];
        for (size_t i = 0; i < bond->members.count; i++)
                if (mac_read(bond->members.items[i], bytes)) // the tables have seen to it
                        add_node_mac(macs, count, bytes);
}

struct node_mac *node_macs(const struct node *node, size_t *ret_count) {
        struct node_mac *macs = NULL;
        *ret_count = 0;
        if (node->has_mac)
                add_node_mac(&macs, ret_count, node->mac);
        add_members_macs(&macs, ret_count, &node->bond);
        for (size_t i = 0; i < node->link_count; i++) {
                if (node->links[i].has_mac)
                        add_node_mac(&macs, ret_count, node->links[i].mac);
                add_members_macs(&macs, ret_count, &node->links[i].bond);
        }
        return macs;
}
