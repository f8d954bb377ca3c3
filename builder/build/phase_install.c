// SPDX-License-Identifier: MIT
#include "build/phases.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/parallel.h"

// Everything that decides the bits of the packed root.
static void find_root_key(struct build *build, struct role_build *role) {
        const struct release *release = &build->cluster->release;
        char hex[DIGEST_HEX_SIZE];
        role->root_inputs =
            arena_printf(&role->arena, "maker %s\nlayer %s\ncompressor %s\nlevel %d\nblock %u\ntime %lld\n",
                         build->artefact_maker, role->layer->key, release->squashfs_compressor, release->squashfs_level,
                         release->squashfs_block_bytes, (long long)build->rootfs.source_date_epoch);
        digest_bytes("sha256", role->root_inputs, strlen(role->root_inputs), hex);
        role->root_key = arena_strdup(&role->arena, hex);
}

// Of a user that several roles declare, the first one's words count for the layer that they share.
static bool plan_base(struct build *build, struct err *err) {
        struct layer_users users = { 0 };
        bool is_shared = false;
        for (size_t i = 0; i < build->role_count; i++) {
                const struct role *role = build->roles[i].role;
                if (!build->roles[i].over_base)
                        continue;
                is_shared = true;
                if (!layer_users_add(&build->selection.base, NULL, role->users, role->user_count, &build->arena, &users,
                                     err))
                        return false;
        }
        if (!is_shared)
                return true;
        if (users.is_partial)
                return true;
        layer_find(&build->rootfs, &build->selection.base, NULL, &users, &build->arena, &build->base);
        build->base->name = "base";
        return true;
}

// The layers below a role are read to make its own, and to pack its root. Whether that is packed may take reading it:
// its place on the disk is another after a copy of the cache, and after a build that shared it was removed.
static bool plan_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        const struct package_set *set = &build->selection.roles[index], *parent_set = NULL;
        const struct layer *parent = NULL;
        struct layer_users users = { 0 };
        if (role->over_base) {
                parent = build->base;
                parent_set = &build->selection.base;
        }
        if (!layer_users_add(set, parent_set, role->role->users, role->role->user_count, &role->arena, &users, err))
                return false;
        bool is_open = users.is_partial || (role->over_base && !parent);
        if (is_open)
                return true;
        layer_find(&build->rootfs, set, parent, &users, &role->arena, &role->layer);
        role->layer->name = role->role->name;
        find_root_key(build, role);
        role->is_packed = artefacts_have_root(build->cache, role->root_key);
        role->reads_layer = !role->is_packed || !fs_exists(AT_FDCWD, role->layer->path);
        return interrupt_check(err);
}

bool phase_reads_base(const struct build *build) {
        for (size_t i = 0; i < build->role_count; i++)
                if (build->roles[i].over_base && build->roles[i].reads_layer)
                        return true;
        return false;
}

static bool install_base(struct build *build, struct err *err) {
        if (!build->base)
                return true;
        return layer_obtain(&build->rootfs, build->base, phase_reads_base(build), &build->selection.base, NULL, err) ||
               wrap(err, "installing the base layer");
}

static bool install_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        const struct package_set *parent_set = NULL;
        assert(role->layer); // every package was fetched
        if (role->over_base)
                parent_set = &build->selection.base;
        return layer_obtain(&build->rootfs, role->layer, role->reads_layer, &build->selection.roles[index], parent_set,
                            err) ||
               wrap(err, "installing role %s", role->role->name);
}

bool phase_find_layers(struct build *build, struct err *err) {
        return plan_base(build, err) && parallel_for(build->role_count, build->options->jobs, plan_role, build, err);
}

bool phase_install(struct build *build, struct err *err) {
        return phase_find_layers(build, err) && install_base(build, err) &&
               parallel_for(build->role_count, build->options->jobs, install_role, build, err);
}
