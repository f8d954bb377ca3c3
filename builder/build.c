// The phases of a build, in order. Each phase's how is in its directory.
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/lock.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "build_id.h"
#include "locations.h"
#include "packages/packages.h"
#include "publish.h"
#include "rootfs/rootfs.h"

// One role on its way through the phases.
struct role_build {
        const struct role *role;
        struct arena arena; // a role's own: roles are worked on by several threads
        struct strings requests;
        bool over_base; // the base layer's packages are all among this role's
        struct layer *layer;
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
        struct package_set base_set;
        struct role_build *roles;
        const struct role **role_pointers;
        struct package_set *sets; // one a role
        size_t role_count;
        struct layer *base;
        struct package_set bootloader_set;
        int bootloader;
        struct publication publication;
        char id[BUILD_ID_SIZE];
        char *work; // holds the configuration layers, below the publication's directory
};

// The day CentOS 7.2.1511 was released: a date that is the same for everybody when SOURCE_DATE_EPOCH is not set.
enum { DEFAULT_EPOCH = 1450051200 };

static bool read_epoch(int64_t *ret, struct err *err) {
        const char *text = getenv("SOURCE_DATE_EPOCH");
        char *end = NULL;
        long long value = text && *text ? strtoll(text, &end, 10) : DEFAULT_EPOCH;
        if (end && (*end || value < 0 || value > UINT32_MAX))
                return fail(err, ERR_USAGE, 0, "SOURCE_DATE_EPOCH=%s is not a number of seconds since 1970", text);
        *ret = value;
        return true;
}

static bool strings_have(const struct strings *list, const char *text) {
        for (size_t i = 0; i < list->count; i++)
                if (!strcmp(list->items[i], text))
                        return true;
        return false;
}

static void strings_add(struct strings *list, const char *text) {
        if (!strings_have(list, text))
                *array_append(&list->items, &list->count) = text;
}

static void choose_roles(struct build *build) {
        const struct cluster *cluster = build->cluster;
        build->roles = xcalloc(cluster->role_count, sizeof *build->roles);
        build->sets = xcalloc(cluster->role_count, sizeof *build->sets);
        build->role_pointers = xcalloc(cluster->role_count, sizeof *build->role_pointers);
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                if (!role->selected)
                        continue;
                struct role_build *chosen = &build->roles[build->role_count];
                *chosen = (struct role_build){ .role = role, .config = -1, .root.fd = -1 };
                build->role_pointers[build->role_count++] = role;
                for (size_t j = 0; j < role->packages.count; j++)
                        strings_add(&chosen->requests, role->packages.items[j]);
                strings_add(&chosen->requests, cluster->release.kernel_package);
        }
}

// What every role of the cluster asks for, whichever of them are built now, so that the base layer stays the same.
static void common_requests(const struct build *build, struct strings *ret) {
        const struct cluster *cluster = build->cluster;
        const struct role *first = &cluster->roles[0];
        for (size_t i = 0; i < first->packages.count; i++) {
                bool common = true;
                for (size_t j = 1; j < cluster->role_count; j++)
                        common = common && strings_have(&cluster->roles[j].packages, first->packages.items[i]);
                if (common)
                        strings_add(ret, first->packages.items[i]);
        }
        strings_add(ret, cluster->release.kernel_package);
}

static bool set_has(const struct package_set *set, const char *nevra) {
        for (size_t i = 0; i < set->count; i++)
                if (!strcmp(set->items[i].nevra, nevra))
                        return true;
        return false;
}

static bool set_holds(const struct package_set *set, const struct package_set *part) {
        for (size_t i = 0; i < part->count; i++)
                if (!set_has(set, part->items[i].nevra))
                        return false;
        return true;
}

// Boot loader packages are taken for their files: what they require is of no use here.
static bool solve_bootloader(struct build *build, struct err *err) {
        const struct strings *wanted = &build->cluster->release.bootloader.packages;
        if (!wanted->count)
                return true;
        struct package_set all;
        if (!packages_solve(build->packages, wanted->items, wanted->count, &all, err))
                return wrap(err, "boot loader packages of release %s", build->cluster->release.name);
        struct package_set *set = &build->bootloader_set;
        for (size_t i = 0; i < all.count; i++)
                if (strings_have(wanted, all.items[i].name))
                        *array_append(&set->items, &set->count) = all.items[i];
        return true;
}

// "FILE:LINE:COLUMN" of the first role that asks for a package.
static char *place_of_request(const void *context, const char *request) {
        const struct cluster *cluster = context;
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct place *place = role_place(&cluster->roles[i], request);
                if (place && place->file)
                        return xasprintf("%s:%d:%d", place->file, place->line, place->column);
        }
        return cluster->release.path ? xstrdup(cluster->release.path) : NULL;
}

// A request that nothing answers has its place already; what cannot be installed together needs to say where.
static bool wrap_solve(struct err *err, const char *what, const char *name) {
        return err->kind == ERR_SOLVE ? wrap(err, "%s%s", what, name) : false;
}

static bool solve(struct build *build, struct err *err) {
        struct packages_options options = {
                .cache = build->options->cache,
                .offline = build->options->offline,
                .replace = build->options->repositories,
                .place_of = place_of_request,
                .place_context = build->cluster,
        };
        if (!packages_open(&build->cluster->release, &options, &build->packages, err))
                return false;
        struct strings common = { 0 };
        common_requests(build, &common);
        bool ok = packages_solve(build->packages, common.items, common.count, &build->base_set, err) ||
                  wrap_solve(err, "packages that all roles share", "");
        free(common.items);
        for (size_t i = 0; ok && i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                ok =
                    packages_solve(build->packages, role->requests.items, role->requests.count, &build->sets[i], err) ||
                    wrap_solve(err, "packages of role ", role->role->name);
                role->over_base = ok && set_holds(&build->sets[i], &build->base_set);
        }
        return ok && solve_bootloader(build, err);
}

static bool fetch(struct build *build, struct err *err) {
        // One set with everything, so that all downloads share the connections and one progress line.
        struct package_set all = { 0 };
        const struct package_set *parts[] = { &build->base_set, &build->bootloader_set };
        for (size_t i = 0; i < lengthof(parts) + build->role_count; i++) {
                const struct package_set *part = i < lengthof(parts) ? parts[i] : &build->sets[i - lengthof(parts)];
                for (size_t j = 0; j < part->count; j++)
                        if (!set_has(&all, part->items[j].nevra))
                                *array_append(&all.items, &all.count) = part->items[j];
        }
        bool ok = packages_fetch(build->packages, &all, err);
        free(all.items);
        // The cache holds everything now: each set only learns its paths.
        ok = ok && packages_fetch(build->packages, &build->base_set, err) &&
             packages_fetch(build->packages, &build->bootloader_set, err);
        for (size_t i = 0; ok && i < build->role_count; i++)
                ok = packages_fetch(build->packages, &build->sets[i], err);
        return ok;
}

static bool install_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        const struct layer *parent = role->over_base ? build->base : NULL;
        return layer_install(&build->rootfs, &build->sets[index], parent, parent ? &build->base_set : NULL,
                             &role->arena, &role->layer, err) ||
               wrap(err, "installing role %s", role->role->name);
}

static bool install(struct build *build, struct err *err) {
        bool shared = false;
        for (size_t i = 0; i < build->role_count; i++)
                shared = shared || build->roles[i].over_base;
        if (shared && !layer_install(&build->rootfs, &build->base_set, NULL, NULL, &build->arena, &build->base, err))
                return wrap(err, "installing the base layer");
        return parallel_for(build->role_count, build->options->jobs, install_role, build, err);
}

static bool configure(struct build *build, struct err *err) {
        auto_free char *name = NULL;
        auto_close int work = -1;
        if (!fs_make_temporary_dir(build->publication.dir, STAGING_PREFIX "work", &name, err))
                return false;
        build->work = arena_strdup(&build->arena, name);
        if (!fs_open_dir(build->publication.dir, name, &work, err))
                return false;
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                if (!layer_mount(&build->rootfs, role->layer, &role->root, err) ||
                    !fs_mkdirs(work, role->role->name, 0755, err) ||
                    !fs_open_dir(work, role->role->name, &role->config, err) ||
                    !config_layer_write(build->cluster, role->role, role->root.fd, build->id,
                                        build->locations.kiln_node, build->rootfs.source_date_epoch, role->config, err))
                        return wrap(err, "configuring role %s", role->role->name);
        }
        return true;
}

static bool unpack_into(struct build *build, const char *path, struct err *err) {
        auto_free char *temporary = NULL;
        auto_close int dir = -1;
        if (!fs_make_temporary_dir(AT_FDCWD, path, &temporary, err))
                return false;
        bool ok = fs_open_dir(AT_FDCWD, temporary, &dir, err);
        for (size_t i = 0; ok && i < build->bootloader_set.count; i++)
                ok = interrupt_check(err) && package_extract(&build->bootloader_set.items[i], dir, err);
        if (ok && rename(temporary, path) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        auto_err ignored = { 0 };
        if (!ok)
                (void)!fs_remove_tree(AT_FDCWD, temporary, &ignored); // the first error is the one to tell
        return ok;
}

// Unpacked once for a set of packages and kept: <cache>/bootloader/<digest>/.
static bool unpack_bootloader(struct build *build, struct err *err) {
        char hex[65];
        package_set_digest(&build->bootloader_set, hex);
        const char *path = arena_printf(&build->arena, "%s/bootloader/%s", build->options->cache, hex);
        const char *lock_path = arena_printf(&build->arena, "%s.lock", path);
        auto_close int lock = -1;
        if (!fs_exists(AT_FDCWD, path)) {
                if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err) || !lock_take(AT_FDCWD, lock_path, &lock, err) ||
                    !lock_remove_leftovers(AT_FDCWD, path, err))
                        return false;
                // Another kiln may have made it while this one waited.
                if (!fs_exists(AT_FDCWD, path) && !unpack_into(build, path, err))
                        return wrap(err, "unpacking the boot loaders");
        }
        return fs_open_dir(AT_FDCWD, path, &build->bootloader, err);
}

struct kernel_search {
        struct arena *arena;
        const char *pattern, *image, *version;
};

static bool match_kernel(const struct fs_entry *entry, void *context, struct err *err) {
        struct kernel_search *search = context;
        (void)err;
        // Only the directories on the way to the pattern are entered.
        *entry->descend = *entry->descend && !strncmp(search->pattern, entry->path, strlen(entry->path));
        if (S_ISREG(entry->stat->st_mode) && !fnmatch(search->pattern, entry->path, FNM_PATHNAME))
                search->image = arena_strdup(search->arena, entry->path);
        return true;
}

static bool find_kernel(struct role_build *role, const struct release *release, struct artefact_role *ret,
                        struct err *err) {
        const char *pattern = release->kernel_image + (release->kernel_image[0] == '/');
        struct kernel_search search = { &role->arena, pattern, NULL, NULL };
        if (!fs_walk(role->root.fd, match_kernel, &search, err))
                return false;
        if (!search.image) {
                fail(err, ERR_REFERENCE, 0, "role %s has no kernel: nothing matches %s", role->role->name,
                     release->kernel_image);
                return hint(err, "see kernel.package and kernel.image of release %s", release->name);
        }
        // The version is what the pattern's star stands for: it names the directory below /lib/modules.
        const char *star = strchr(pattern, '*');
        ret->kernel_path = search.image;
        ret->kernel_version = star ? search.image + (star - pattern) : "";
        return true;
}

// Everything that decides the bits of the packed root.
static const char *root_key(struct build *build, const struct layer *layer) {
        const struct release *release = &build->cluster->release;
        char hex[DIGEST_HEX_SIZE];
        auto_free char *text =
            xasprintf("%s %s %d %u %lld", layer->key, release->squashfs_compressor, release->squashfs_level,
                      release->squashfs_block_bytes, (long long)build->rootfs.source_date_epoch);
        digest_bytes("sha256", text, strlen(text), hex);
        return arena_strdup(&build->arena, hex);
}

static bool write_artefacts(struct build *build, struct artefact_build *artefacts, struct err *err) {
        if (!publication_stage(&build->publication, build->id, err))
                return false;
        artefacts->out = build->publication.staging;
        artefacts->roles = arena_alloc(&build->arena, build->role_count * sizeof *artefacts->roles);
        artefacts->role_count = build->role_count;
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                struct artefact_role *artefact = &artefacts->roles[i];
                *artefact = (struct artefact_role){
                        .role = role->role,
                        .packages = &build->sets[i],
                        .root = role->root.fd,
                        .config = role->config,
                        .bootloader = build->bootloader,
                        .root_key = root_key(build, role->layer),
                        .out = -1,
                };
                if (!find_kernel(role, &build->cluster->release, artefact, err) ||
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
        struct build_facts facts = {
                .cluster = build->cluster,
                .locations = &build->locations,
                .sets = build->sets,
                .roles = build->role_pointers,
                .role_count = build->role_count,
                .only = build->options->only,
                .http_base = build->options->http_base,
                .source_date_epoch = build->rootfs.source_date_epoch,
        };
        return build_id_make(&facts, build->id, err);
}

static bool make_and_publish(struct build *build, struct artefact_build *artefacts, struct err *err) {
        return interrupt_check(err) && fetch(build, err) && install(build, err) && unpack_bootloader(build, err) &&
               configure(build, err) && write_artefacts(build, artefacts, err) && interrupt_check(err) &&
               publication_finish(&build->publication, build->id, err);
}

static void release_build(struct build *build) {
        auto_err err = { 0 };
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                close_cleanup(&role->config);
                if (role->root.fd >= 0)
                        layer_unmount(&role->root);
                arena_release(&role->arena);
                free(role->requests.items);
        }
        if (build->work && !fs_remove_tree(build->publication.dir, build->work, &err))
                warning("%s stays behind: %s", build->work, err.text);
        publication_close(&build->publication);
        close_cleanup(&build->bootloader);
        packages_close(build->packages);
        free(build->bootloader_set.items);
        free(build->roles);
        free(build->sets);
        free(build->role_pointers);
        arena_release(&build->arena);
}

static bool run_phases(struct build *build, bool *ret_new, struct err *err) {
        if (!locations_find(&build->arena, &build->locations, err) ||
            !read_epoch(&build->rootfs.source_date_epoch, err))
                return false;
        choose_roles(build);
        build->cluster->firmware_dir = build->locations.firmware;
        struct artefact_build artefacts = {
                .cluster = build->cluster,
                .build_id = build->id,
                .cache = build->options->cache,
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
        if (!fs_mkdirs(AT_FDCWD, build->options->cache, 0755, err))
                return wrap(err, "preparing the cache");
        if (!publication_open(build->options->out, build->cluster->name, &build->publication, err) ||
            !solve(build, err) || !identify(build, err))
                return false;
        *ret_new = !publication_has(&build->publication, build->id);
        if (!*ret_new)
                return publication_set_current(&build->publication, build->id, err);
        return make_and_publish(build, &artefacts, err);
}

bool build_cluster(struct cluster *cluster, const struct build_options *options, char **ret_path, bool *ret_new,
                   struct err *err) {
        struct build build = {
                .cluster = cluster,
                .options = options,
                .bootloader = -1,
                .publication = { -1, -1, NULL },
                .rootfs = { .cache = options->cache, .release = &cluster->release },
        };
        bool ok = run_phases(&build, ret_new, err);
        if (ok)
                *ret_path = xasprintf("%s/%s/%s", options->out, cluster->name, build.id);
        release_build(&build);
        return ok;
}
