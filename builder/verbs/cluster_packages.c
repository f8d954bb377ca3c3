// SPDX-License-Identifier: MIT
#include "verbs/cluster_packages.h"

#include "verbs/verb_common.h"

bool cluster_packages_load(struct cluster_packages *all, struct err *err) {
        if (!options_load_cluster(all->options, &all->cluster, err))
                return false;
        size_t count = all->cluster->role_count;
        all->roles = arena_alloc(&all->arena, (count + 1) * sizeof *all->roles);
        for (size_t i = 0; i < count; i++)
                all->roles[i] = &all->cluster->roles[i];
        return true;
}

bool cluster_packages_open(struct cluster_packages *all, bool only_locked, struct err *err) {
        if (!cache_open(options_cache_dir(&all->arena, all->options), &all->cache, err))
                return false;
        struct packages_options options = {
                .cache = all->cache,
                .offline = all->options->offline,
                .replace = options_repositories(&all->arena, all->options),
                .place_of = selection_place_of,
                .place_context = all->cluster,
                .allow_downgrade = all->options->allow_downgrade,
                .locked = only_locked,
        };
        return packages_open(&all->cluster->release, &options, &all->packages, err);
}

bool cluster_packages_solve(struct cluster_packages *all, struct err *err) {
        return selection_solve(all->packages, all->cluster, all->roles, all->cluster->role_count, &all->selection, err);
}

void cluster_packages_release(struct cluster_packages *all) {
        selection_release(&all->selection);
        packages_close(all->packages);
        cache_close(all->cache);
        lock_file_free(all->lock);
        cluster_free(all->cluster);
        arena_release(&all->arena);
}
