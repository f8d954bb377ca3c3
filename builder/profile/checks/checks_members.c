// SPDX-License-Identifier: MIT
// Which nodes count as nodes of which role: checks, templates and firewalls ask.
#include <string.h>

#include "profile/checks/checks.h"

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
