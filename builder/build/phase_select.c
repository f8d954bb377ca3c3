// SPDX-License-Identifier: MIT
#include "build/phases.h"

static bool select_by_lock_or_solver(struct build *build, struct err *err) {
        const struct lock_file *lock = build->options->lock;
        if (lock)
                return selection_obey(build->packages, build->cluster, build->role_pointers, build->role_count, lock,
                                      &build->selection, err);
        return selection_solve(build->packages, build->cluster, build->role_pointers, build->role_count,
                               &build->selection, err);
}

bool phase_select(struct build *build, struct err *err) {
        const struct build_options *wanted = build->options;
        const struct packages_options options = {
                .cache = build->cache,
                .offline = wanted->offline,
                .replace = wanted->repositories,
                .place_of = selection_place_of,
                .place_context = build->cluster,
                .allow_downgrade = wanted->allow_downgrade,
                .locked = wanted->lock != NULL,
        };
        if (!packages_open(&build->cluster->release, &options, &build->packages, err) ||
            !select_by_lock_or_solver(build, err))
                return false;
        const struct selection *selection = &build->selection;
        for (size_t i = 0; i < build->role_count; i++)
                build->roles[i].over_base = package_set_holds(&selection->roles[i], &selection->base);
        return true;
}
