// SPDX-License-Identifier: MIT
#include "build/phases.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/parallel.h"

// Everything that decides the bits of the packed root.
static const char *root_key_of(struct build *build, struct role_build *role) {
        const struct release *release = &build->cluster->release;
        char hex[DIGEST_HEX_SIZE];
        auto_free char *text = xasprintf("%s %s %s %d %u %lld", build->artefact_maker, role->layer->key,
                                         release->squashfs_compressor, release->squashfs_level,
                                         release->squashfs_block_bytes, (long long)build->rootfs.source_date_epoch);
        digest_bytes("sha256", text, strlen(text), hex);
        return arena_strdup(&role->arena, hex);
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
        layer_find(&build->rootfs, set, parent, &users, &role->arena, &role->layer);
        role->layer->name = role->role->name;
        role->root_key = root_key_of(build, role);
        bool is_packed = artefacts_have_root(build->cache, role->root_key);
        role->reads_layer = !is_packed || !fs_exists(AT_FDCWD, role->layer->path);
        return interrupt_check(err);
}

static bool install_base(struct build *build, struct err *err) {
        bool is_read = false;
        if (!build->base)
                return true;
        for (size_t i = 0; i < build->role_count; i++)
                is_read = is_read || (build->roles[i].over_base && build->roles[i].reads_layer);
        return layer_obtain(&build->rootfs, build->base, is_read, &build->selection.base, NULL, err) ||
               wrap(err, "installing the base layer");
}

static bool install_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        const struct package_set *parent_set = NULL;
        if (role->over_base)
                parent_set = &build->selection.base;
        return layer_obtain(&build->rootfs, role->layer, role->reads_layer, &build->selection.roles[index], parent_set,
                            err) ||
               wrap(err, "installing role %s", role->role->name);
}

bool phase_install(struct build *build, struct err *err) {
        return plan_base(build, err) && parallel_for(build->role_count, build->options->jobs, plan_role, build, err) &&
               install_base(build, err) &&
               parallel_for(build->role_count, build->options->jobs, install_role, build, err);
}
