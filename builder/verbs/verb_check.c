// SPDX-License-Identifier: MIT
// kiln check.
#include <stdio.h>

#include "verbs/verb.h"
#include "verbs/verb_common.h"

static void print_role(const struct cluster *cluster, const struct role *role) {
        printf("  %-10s", role->name);
        for (size_t i = 0; i < role->node_count; i++)
                printf(" %s", cluster->nodes[role->nodes[i]].name);
        if (role->ensemble)
                printf("  (quorum %zu of %zu)", role->node_count / 2 + 1, role->node_count);
        putchar('\n');
}

bool verb_check(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        if (!options_load_cluster(options, &cluster, err))
                return false;
        printf("cluster %s, release %s: %zu nodes\n", cluster->name, cluster->release.name, cluster->node_count);
        for (size_t i = 0; i < cluster->role_count; i++)
                print_role(cluster, &cluster->roles[i]);
        cluster_free(cluster);
        return true;
}
