// SPDX-License-Identifier: MIT
// A build is a list of phases, in order. The how of each is in a phase_*.c, and below that in the folders.
#include "build/build.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "build/build_recipe.h"
#include "build/build_sign.h"
#include "build/phases.h"
#include "build/published_seal.h"
#include "cache/maker.h"
#include "sandbox/sandbox.h"

// The day CentOS 7.2.1511 was released: a date that is the same for everybody when SOURCE_DATE_EPOCH is not set.
enum { DEFAULT_EPOCH = 1450051200 };

static bool read_epoch(const char *text, int64_t *ret, struct err *err) {
        if (!text || !*text) {
                *ret = DEFAULT_EPOCH;
                return true;
        }
        char *end = NULL;
        long long value = strtoll(text, &end, 10);
        if (*end || value < 0 || value > UINT32_MAX)
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

// Machines of a role that is left out, or whose boot loader is, would not boot from it.
bool build_is_partial(const struct build *build) {
        return build->options->only->count > 0 || build->role_count < build->cluster->role_count;
}

bool build_identify(struct build *build, struct err *err) {
        const char *stub = artefacts_uki_stub(build->cluster, build->options->only, build->options->uki_stub);
        if (!build_inputs(build->cluster, &build->locations, stub, &build->inputs, err))
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
                .serial = build->options->serial,
        };
        build_id_make(&facts, build->id);
        return true;
}

bool build_identify_makers(struct build *build, struct err *err) {
        build->rootfs.maker = build->layer_maker;
        return maker_digest(&layer_maker, build->layer_maker, err) &&
               maker_digest(&artefact_maker, build->artefact_maker, err);
}

// The build is complete without it: the next plan only says less.
static void note_recipe(struct build *build, const struct artefact_build *artefacts) {
        auto_err err = { 0 };
        json_t *recipe = NULL;
        bool ok = build_recipe_make(build, artefacts, &recipe, &err);
        auto_free char *text = ok ? json_dumps(recipe, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        json_decref(recipe);
        if (text)
                ok = publication_note(&build->publication, build->id, PUBLICATION_RECIPE, text, &err);
        if (!ok || !text)
                warning("`kiln plan` will not know what this build was made from: %s", text_or(err.text, "no text"));
}

// From here on it takes minutes, and room on the disk.
static bool make_and_publish(struct build *build, struct artefact_build *artefacts, struct err *err) {
        if (!interrupt_check(err) || !selection_fetch(&build->selection, build->packages, err) ||
            !build_identify_makers(build, err))
                return false;
        auto_buf sums = { .max = PUBLISHED_SEAL_MAX_BYTES };
        artefacts->ret_sums = &sums;
        bool ok = phase_install(build, err) && phase_configure(build, err) && phase_write(build, artefacts, err);
        artefacts->ret_sums = NULL;
        if (!ok)
                return false;
        note_recipe(build, artefacts);
        return interrupt_check(err) && publication_seal(&build->publication, build->id, &sums, err) &&
               publication_finish(&build->publication, build->id, err);
}

// There, signed as it is wanted, and whole: a build that rotted is made again.
bool build_is_published(struct build *build, bool *ret, struct err *err) {
        const struct build_options *options = build->options;
        *ret = publication_has(&build->publication, build->id) &&
               build_is_signed(&build->publication, build->id, options->signer) && build_is_certified(build);
        return !*ret || publication_is_whole(&build->publication, build->id, options->jobs, ret, err);
}

static bool record_build(struct build *build, bool is_new, struct err *err) {
        const char *origin = build->options->origin;
        if (origin && !publication_note(&build->publication, build->id, PUBLICATION_ORIGIN, origin, err))
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

void build_release(struct build *build) {
        auto_err err = { 0 };
        for (size_t i = 0; i < build->role_count; i++) {
                struct role_build *role = &build->roles[i];
                close_cleanup(&role->config);
                if (role->root.fd >= 0)
                        layer_unmount(&role->root);
                arena_release(&role->arena);
        }
        if (build->config_dir && !fs_remove_tree(build->publication.dir, build->config_dir, &err))
                warning("%s stays behind: %s", build->config_dir, err.text);
        free(build->config_dir);
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

bool build_begin(struct build *build, struct artefact_build *ret_artefacts, struct err *err) {
        if (!locations_find(&build->arena, &build->locations, err) ||
            !read_epoch(build->options->source_date_epoch, &build->rootfs.source_date_epoch, err))
                return false;
        choose_roles(build);
        build->cluster->firmware_dir = build->locations.firmware;
        *ret_artefacts = (struct artefact_build){
                .cluster = build->cluster,
                .build_id = build->id,
                .maker = build->artefact_maker,
                .kiln_node = build->locations.kiln_node,
                .initramfs_dir = build->locations.initramfs,
                .bootloader_dir = build->locations.bootloader,
                .uki_stub = build->options->uki_stub,
                .bootloaders = &build->selection.bootloader,
                .http_base = build->options->http_base,
                .source_date_epoch = build->rootfs.source_date_epoch,
                .out = -1,
                .jobs = build->options->jobs,
                .signer = build->options->signer,
                .kept = build->options->kept,
                .serial = build->options->serial,
                .secure_boot = build->options->secure_boot,
                .only = build->options->only,
        };
        return build_check_signer(build->cluster, build->options, err) &&
               artefacts_check(ret_artefacts, build->options->only, err) &&
               cache_check_owners(build->options->cache, err) &&
               publication_check_owners(build->options->out, build->cluster->name, err) && sandbox_enter(err);
}

static bool run_phases(struct build *build, bool *ret_new, struct err *err) {
        struct artefact_build artefacts;
        if (!build_begin(build, &artefacts, err))
                return false;
        if (!cache_open(build->options->cache, &build->cache, err))
                return false;
        cache_use_remote(build->cache, build->options->remote);
        build->rootfs.cache = build->cache;
        artefacts.cache = build->cache;
        if (!publication_open(build->options->out, build->cluster->name, build_is_partial(build), &build->publication,
                              err) ||
            !phase_select(build, err) || !build_identify(build, err))
                return false;
        bool is_there = false;
        if (!build_is_published(build, &is_there, err))
                return false;
        *ret_new = !is_there;
        if (is_there)
                return publication_announce(&build->publication, build->id, err) && record_build(build, false, err);
        return make_and_publish(build, &artefacts, err) && record_build(build, true, err);
}

char *build_published_path(const struct build *build) {
        const char *part = "";
        if (build->publication.is_partial)
                part = PARTIAL_DIR "/";
        return xasprintf("%s/%s/%s%s", build->options->out, build->cluster->name, part, build->id);
}

struct build build_new(struct cluster *cluster, const struct build_options *options) {
        assert(options->out && options->cache);
        return (struct build){
                .cluster = cluster,
                .options = options,
                .bootloader = -1,
                .publication = PUBLICATION_CLOSED,
                .rootfs = { .release = &cluster->release },
        };
}

bool build_cluster(struct cluster *cluster, const struct build_options *options, struct build_result *ret,
                   struct err *err) {
        struct build build = build_new(cluster, options);
        bool is_new = false;
        bool ok = run_phases(&build, &is_new, err);
        if (ok)
                *ret = (struct build_result){ build_published_path(&build), is_new, build.publication.is_partial };
        build_release(&build);
        return ok;
}
