// SPDX-License-Identifier: MIT
// kiln check.
#include <stdio.h>
#include <stdlib.h>

#include "artefact/artefact.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

static void print_role(const struct cluster *cluster, const struct role *role) {
        printf("  %-10s", role->name);
        for (size_t i = 0; i < role->node_count; i++)
                printf(" %s", cluster->nodes[role->nodes[i]].name);
        size_t votes;
        free(cluster_members(cluster, role->name, &votes)); // only their number counts
        const struct role *ensemble = cluster_ensemble_of(cluster, role);
        if (role->ensemble && ensemble == role)
                printf("  (quorum %zu of %zu)", votes / 2 + 1, votes);
        else if (role->ensemble)
                printf("  (in the ensemble of %s)", ensemble->name);
        putchar('\n');
}

bool verb_check(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        if (!options_load_cluster(options, &cluster, err))
                return false;
        show_warnings(cluster);
        if (!kickstart_try(cluster, cluster->http_base, err)) {
                cluster_free(cluster);
                return false;
        }
        printf("cluster %s, release %s: %zu nodes\n", cluster->name, cluster->release.name, cluster->node_count);
        for (size_t i = 0; i < cluster->role_count; i++)
                print_role(cluster, &cluster->roles[i]);
        cluster_free(cluster);
        return true;
}
