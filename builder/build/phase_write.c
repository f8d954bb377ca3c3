// SPDX-License-Identifier: MIT
#include "build/phases.h"

#include <fcntl.h>

#include "base/fs.h"
#include "build/bootloader_tree.h"
#include "build/kernel_find.h"
#include "selection/lock_file.h"

struct bootloader_tree phase_bootloader_tree(const struct build *build) {
        return (struct bootloader_tree){
                .cache = build->cache,
                .packages = &build->selection.bootloader,
                .maker = build->layer_maker,
                .source_date_epoch = build->rootfs.source_date_epoch,
        };
}

static bool unpack_bootloader(struct build *build, struct err *err) {
        const struct bootloader_tree tree = phase_bootloader_tree(build);
        return bootloader_tree_open(&tree, &build->bootloader, err);
}

// A root that is only unpacked or run in a container has no kernel, and needs none.
bool phase_find_kernel(struct role_build *role, const struct cluster *cluster, const struct strings *only,
                       struct artefact_role *ret, struct err *err) {
        const struct release *release = &cluster->release;
        if (!kernel_find(role->root.fd, release->kernel_image, &role->arena, &ret->kernel_path, &ret->kernel_version,
                         err))
                return false;
        if (ret->kernel_path || !artefacts_boot(cluster, only))
                return true;
        fail(err, ERR_REFERENCE, 0, "role %s has no kernel: nothing matches %s", role->role->name,
             release->kernel_image);
        return hint(err,
                    "see kernel.package and kernel.image of release %s; a root without a kernel can be made with "
                    "--only squashfs",
                    release->name);
}

// What a build took, whether or not a lock file told it to.
static const char *format_lock(struct build *build) {
        struct lock_file lock;
        selection_lock(&build->selection, build->cluster, &lock);
        auto_free char *text = lock_file_format(&lock);
        lock_file_release(&lock);
        return arena_strdup(&build->arena, text);
}

static bool prepare_role(struct build *build, const struct artefact_build *artefacts, size_t index, struct err *err) {
        struct role_build *role = &build->roles[index];
        struct artefact_role *artefact = &artefacts->roles[index];
        *artefact = (struct artefact_role){
                .role = role->role,
                .packages = &build->selection.roles[index],
                .root = role->root.fd,
                .config = role->config,
                .bootloader = build->bootloader,
                .root_key = role->root_key,
                .out = -1,
        };
        return phase_find_kernel(role, build->cluster, build->options->only, artefact, err) &&
               fs_mkdirs(artefacts->out, role->role->name, 0755, err) &&
               fs_open_dir(artefacts->out, role->role->name, &artefact->out, err);
}

static bool write_roles(struct build *build, struct artefact_build *artefacts, struct err *err) {
        for (size_t i = 0; i < build->role_count; i++)
                if (!prepare_role(build, artefacts, i, err))
                        return false;
        struct strings wanted = *build->options->only;
        if (build->options->signer && wanted.count > 0) // no wish for a kind is none for an unsigned one
                strings_add_once(&build->arena, &wanted, "signatures");
        return artefacts_write(artefacts, &wanted, err);
}

bool phase_write(struct build *build, struct artefact_build *artefacts, struct err *err) {
        if (!unpack_bootloader(build, err) || !publication_stage(&build->publication, build->id, err))
                return false;
        artefacts->out = build->publication.staging;
        artefacts->roles = arena_alloc(&build->arena, build->role_count * sizeof *artefacts->roles);
        artefacts->role_count = build->role_count;
        artefacts->only = build->options->only;
        artefacts->inputs = build->inputs;
        artefacts->lock = format_lock(build);
        for (size_t i = 0; i < build->role_count; i++)
                artefacts->roles[i].out = -1;
        bool ok = write_roles(build, artefacts, err);
        for (size_t i = 0; i < build->role_count; i++)
                close_cleanup(&artefacts->roles[i].out);
        return ok;
}
