// SPDX-License-Identifier: MIT
// The phases of a build, in order. Each phase's how is in its directory.
#include "build/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/locations.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "build/bootloader_tree.h"
#include "build/build_id.h"
#include "build/kernel_find.h"
#include "build/publish.h"
#include "cache/cache.h"
#include "cache/maker.h"
#include "configure/configure.h"
#include "packages/packages.h"
#include "profile/profile.h"
#include "rootfs/rootfs.h"
#include "rootfs/tree.h"
#include "sandbox/sandbox.h"
#include "selection/selection.h"

// One role on its way through the phases.
struct role_build {
        const struct role *role;
        struct arena arena; // a role's own: roles are worked on by several threads
        bool over_base;     // the base layer's packages are all among this role's
        struct layer *layer;
        bool reads_layer; // to pack it, or to make it
        struct mounted root;
        int config;
};

struct build {
        struct cluster *cluster;
        const struct build_options *options;
        struct arena arena;
        struct locations locations;
        struct rootfs_options rootfs;
        struct packages *packages;
        struct selection selection;
        struct role_build *roles;
        const struct role **role_pointers;
        size_t role_count;
        struct layer *base;
        int bootloader;
        struct publication publication;
        struct cache *cache;
        char layer_maker[DIGEST_HEX_SIZE], artefact_maker[DIGEST_HEX_SIZE];
        json_t *inputs;
        char id[BUILD_ID_SIZE];
        char *work; // holds the configuration layers, below the publication's directory
};

// The day CentOS 7.2.1511 was released: a date that is the same for everybody when SOURCE_DATE_EPOCH is not set.
enum { DEFAULT_EPOCH = 1450051200 };

static bool read_epoch(const char *text, int64_t *ret, struct err *err) {
        char *end = NULL;
        long long value = text && *text ? strtoll(text, &end, 10) : DEFAULT_EPOCH;
        if (end && (*end || value < 0 || value > UINT32_MAX))
                return fail(err, ERR_USAGE, 0, "SOURCE_DATE_EPOCH=%s is not a number of seconds since 1970", text);
        *ret = value;
        return true;
}

static void choose_roles(struct build *build) {
        const struct cluster *cluster = build->cluster;
        build->roles = xcalloc(cluster->role_count, sizeof *build->roles);
        build->role_pointers = xcalloc(cluster->role_count, sizeof *build->role_pointers);
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                if (!role->selected)
                        continue;
                struct role_build *chosen = &build->roles[build->role_count];
                *chosen = (struct role_build){ .role = role, .config = -1, .root.fd = -1 };
                build->role_pointers[build->role_count++] = role;
        }
}

static bool solve(struct build *build, struct err *err) {
        const struct build_options *wanted = build->options;
        struct packages_options options = {
                .cache = build->cache,
                .offline = wanted->offline,
                .replace = wanted->repositories,
                .place_of = selection_place_of,
                .place_context = build->cluster,
                .allow_downgrade = wanted->allow_downgrade,
                .pinned = wanted->lock != NULL,
        };
        if (!packages_open(&build->cluster->release, &options, &build->packages, err))
                return false;
        struct selection *selection = &build->selection;
        bool ok = wanted->lock ? selection_obey(build->packages, build->cluster, build->role_pointers,
                                                build->role_count, wanted->lock, selection, err)
                               : selection_solve(build->packages, build->cluster, build->role_pointers,
                                                 build->role_count, selection, err);
        for (size_t i = 0; ok && i < build->role_count; i++)
                build->roles[i].over_base = package_set_holds(&selection->roles[i], &selection->base);
        return ok;
}

// Everything that decides the bits of the packed root.
static const char *root_key(struct build *build, const struct layer *layer) {
        const struct release *release = &build->cluster->release;
        char hex[DIGEST_HEX_SIZE];
        auto_free char *text = xasprintf("%s %s %s %d %u %lld", build->artefact_maker, layer->key,
                                         release->squashfs_compressor, release->squashfs_level,
                                         release->squashfs_block_bytes, (long long)build->rootfs.source_date_epoch);
        digest_bytes("sha256", text, strlen(text), hex);
        return arena_strdup(&build->arena, hex);
}

// Names every layer, and finds out which will be read.
static void plan_layers(struct build *build) {
        bool shared = false;
        for (size_t i = 0; i < build->role_count; i++)
                shared = shared || build->roles[i].over_base;
        if (shared)
                layer_find(&build->rootfs, &build->selection.base, NULL, &build->arena, &build->base);
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                layer_find(&build->rootfs, &build->selection.roles[i], role->over_base ? build->base : NULL,
                           &role->arena, &role->layer);
                role->reads_layer = !fs_exists(AT_FDCWD, role->layer->path) ||
                                    !artefacts_have_root(build->cache, root_key(build, role->layer));
        }
}

static bool install_base(struct build *build, struct err *err) {
        bool reads = false;
        for (size_t i = 0; i < build->role_count; i++)
                reads = reads || (build->roles[i].over_base && build->roles[i].reads_layer);
        return !build->base || layer_obtain(&build->rootfs, build->base, reads, &build->selection.base, NULL, err) ||
               wrap(err, "installing the base layer");
}

static bool install_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        return layer_obtain(&build->rootfs, role->layer, role->reads_layer, &build->selection.roles[index],
                            role->over_base ? &build->selection.base : NULL, err) ||
               wrap(err, "installing role %s", role->role->name);
}

static bool install(struct build *build, struct err *err) {
        plan_layers(build);
        return install_base(build, err) &&
               parallel_for(build->role_count, build->options->jobs, install_role, build, err);
}

static bool configure_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        auto_free char *path = xasprintf("%s/%s", build->work, role->role->name);
        return (layer_mount(&build->rootfs, role->layer, &role->root, err) &&
                fs_mkdirs(build->publication.dir, path, 0755, err) &&
                fs_open_dir(build->publication.dir, path, &role->config, err) &&
                config_layer_write(build->cluster, role->role, role->root.fd, build->id, build->locations.kiln_node,
                                   build->rootfs.source_date_epoch, role->config, err)) ||
               wrap(err, "configuring role %s", role->role->name);
}

static bool configure(struct build *build, struct err *err) {
        if (!fs_make_temporary_dir(build->publication.dir, STAGING_PREFIX "work", &build->work, err))
                return false;
        // Files as they will be on the node: setuid perhaps, and with its secrets.
        if (fchmodat(build->publication.dir, build->work, 0700, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod %s", build->work);
        return parallel_for(build->role_count, build->options->jobs, configure_role, build, err);
}

static bool unpack_bootloader(struct build *build, struct err *err) {
        struct bootloader_tree tree = {
                .cache = build->cache,
                .packages = &build->selection.bootloader,
                .maker = build->layer_maker,
                .source_date_epoch = build->rootfs.source_date_epoch,
        };
        return bootloader_tree_open(&tree, &build->bootloader, err);
}

// A root that is only unpacked or run in a container has no kernel, and needs none.
static bool find_kernel(struct role_build *role, const struct release *release, const struct strings *only,
                        struct artefact_role *ret, struct err *err) {
        if (!kernel_find(role->root.fd, release->kernel_image, &role->arena, &ret->kernel_path, &ret->kernel_version,
                         err))
                return false;
        if (ret->kernel_path || !artefacts_boot(only))
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

static bool write_artefacts(struct build *build, struct artefact_build *artefacts, struct err *err) {
        if (!publication_stage(&build->publication, build->id, err))
                return false;
        artefacts->out = build->publication.staging;
        artefacts->roles = arena_alloc(&build->arena, build->role_count * sizeof *artefacts->roles);
        artefacts->role_count = build->role_count;
        artefacts->only = build->options->only;
        artefacts->inputs = build->inputs;
        artefacts->lock = format_lock(build);
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                struct artefact_role *artefact = &artefacts->roles[i];
                *artefact = (struct artefact_role){
                        .role = role->role,
                        .packages = &build->selection.roles[i],
                        .root = role->root.fd,
                        .config = role->config,
                        .bootloader = build->bootloader,
                        .root_key = root_key(build, role->layer),
                        .out = -1,
                };
                if (!find_kernel(role, &build->cluster->release, build->options->only, artefact, err) ||
                    !fs_mkdirs(artefacts->out, role->role->name, 0755, err) ||
                    !fs_open_dir(artefacts->out, role->role->name, &artefact->out, err))
                        return false;
        }
        bool ok = artefacts_write(artefacts, build->options->only, err);
        for (size_t i = 0; i < build->role_count; i++)
                close_cleanup(&artefacts->roles[i].out);
        return ok;
}

static bool identify(struct build *build, struct err *err) {
        if (!build_inputs(build->cluster, &build->locations, &build->inputs, err))
                return false;
        struct build_facts facts = {
                .cluster = build->cluster,
                .inputs = build->inputs,
                .sets = build->selection.roles,
                .base = &build->selection.base,
                .bootloader = &build->selection.bootloader,
                .roles = build->role_pointers,
                .role_count = build->role_count,
                .only = build->options->only,
                .http_base = build->options->http_base,
                .source_date_epoch = build->rootfs.source_date_epoch,
        };
        build_id_make(&facts, build->id);
        return true;
}

static bool identify_makers(struct build *build, struct err *err) {
        build->rootfs.maker = build->layer_maker;
        return maker_digest(&layer_maker, build->layer_maker, err) &&
               maker_digest(&artefact_maker, build->artefact_maker, err);
}

static bool make_and_publish(struct build *build, struct artefact_build *artefacts, struct err *err) {
        return interrupt_check(err) && selection_fetch(&build->selection, build->packages, err) &&
               identify_makers(build, err) && install(build, err) && unpack_bootloader(build, err) &&
               configure(build, err) && write_artefacts(build, artefacts, err) && interrupt_check(err) &&
               publication_finish(&build->publication, build->id, err);
}

static bool record_build(struct build *build, bool is_new, struct err *err) {
        const char *origin = build->options->origin;
        if (origin && !publication_note_origin(&build->publication, build->id, origin, err))
                return false;
        auto_err unwritten = { 0 };
        bool ok = false;
        if (is_new)
                ok = cache_record(build->cache, "build", &unwritten, "%s-%s", build->cluster->name, build->id);
        else
                ok = cache_renew_record(build->cache, "build", &unwritten, "%s-%s", build->cluster->name, build->id);
        if (ok)
                return true;
        if (unwritten.kind == ERR_INTERRUPTED)
                return fail(err, ERR_INTERRUPTED, 0, "%s", unwritten.text);
        // The build is complete and published: without the record, its entries only leave the cache earlier.
        warning("the cache does not learn what this build uses: %s", unwritten.text);
        return true;
}

static void release_build(struct build *build) {
        auto_err err = { 0 };
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                close_cleanup(&role->config);
                if (role->root.fd >= 0)
                        layer_unmount(&role->root);
                arena_release(&role->arena);
        }
        if (build->work && !fs_remove_tree(build->publication.dir, build->work, &err))
                warning("%s stays behind: %s", build->work, err.text);
        free(build->work);
        publication_close(&build->publication);
        close_cleanup(&build->bootloader);
        packages_close(build->packages);
        selection_release(&build->selection);
        json_decref(build->inputs);
        cache_close(build->cache);
        free(build->roles);
        free(build->role_pointers);
        arena_release(&build->arena);
}

static bool run_phases(struct build *build, bool *ret_new, struct err *err) {
        if (!locations_find(&build->arena, &build->locations, err) ||
            !read_epoch(build->options->source_date_epoch, &build->rootfs.source_date_epoch, err))
                return false;
        choose_roles(build);
        build->cluster->firmware_dir = build->locations.firmware;
        struct artefact_build artefacts = {
                .cluster = build->cluster,
                .build_id = build->id,
                .maker = build->artefact_maker,
                .kiln_node = build->locations.kiln_node,
                .initramfs_dir = build->locations.initramfs,
                .bootloader_dir = build->locations.bootloader,
                .http_base = build->options->http_base,
                .source_date_epoch = build->rootfs.source_date_epoch,
                .out = -1,
                .jobs = build->options->jobs,
        };
        if (!artefacts_check(&artefacts, build->options->only, err) || !sandbox_enter(err))
                return false;
        if (!cache_open(build->options->cache, &build->cache, err))
                return false;
        build->rootfs.cache = build->cache;
        artefacts.cache = build->cache;
        if (!publication_open(build->options->out, build->cluster->name, &build->publication, err) ||
            !solve(build, err) || !identify(build, err))
                return false;
        *ret_new = !publication_has(&build->publication, build->id);
        if (!*ret_new)
                return publication_set_current(&build->publication, build->id, err) && record_build(build, false, err);
        return make_and_publish(build, &artefacts, err) && record_build(build, true, err);
}

bool build_cluster(struct cluster *cluster, const struct build_options *options, char **ret_path, bool *ret_new,
                   struct err *err) {
        struct build build = {
                .cluster = cluster,
                .options = options,
                .bootloader = -1,
                .publication = { -1, -1, NULL },
                .rootfs = { .release = &cluster->release },
        };
        bool ok = run_phases(&build, ret_new, err);
        if (ok)
                *ret_path = xasprintf("%s/%s/%s", options->out, cluster->name, build.id);
        release_build(&build);
        return ok;
}
