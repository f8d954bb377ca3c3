// SPDX-License-Identifier: MIT
#include "build/build_plan.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json_member.h"
#include "build/build_recipe.h"
#include "build/phases.h"
#include "build/plan_aside.h"
#include "build/plan_times.h"
#include "build/recipe_reasons.h"

struct planning {
        struct build build;
        struct artefact_build artefacts;
        struct plan_aside aside;
        char before_id[NAME_MAX + 1]; // the build to compare with; "": there is none
        json_t *before, *now;         // recipes; NULL: there is none
        json_t *times;                // plan_times_read()
        json_t *steps;
        json_t *downloads;
        uint64_t download_bytes, copy_bytes;
};

enum step_state { STEP_CACHED, STEP_MAKE, STEP_UNKNOWN };

static const char *const state_names[] = { "cached", "make", "unknown" };

// ---- steps ----

static void add_why(json_t *list, const char *text) { (void)!json_array_append_new(list, json_string(text)); }

// Why a step of which all is known is not in the cache.
static void add_make_reasons(const struct planning *planning, const char *step, bool is_damaged, json_t *reasons) {
        const json_t *before = json_object_get(json_object_get(planning->before, "steps"), step);
        if (before)
                recipe_step_reasons(planning->before, planning->now, step, reasons);
        bool has_reason = json_array_size(reasons) > 0;
        if (is_damaged)
                add_why(reasons, "what the cache has of it is damaged");
        else if (before && !has_reason)
                add_why(reasons, "the cache has it no more");
        else if (planning->before && !before)
                add_why(reasons, "it is new");
        else if (!has_reason)
                add_why(reasons, "it is not in the cache");
}

// Takes the reasons.
static void add_step(struct planning *planning, const char *name, const char *role, enum step_state state,
                     json_t *reasons) {
        json_t *step =
            json_pack("{ss ss? ss so}", "step", name, "role", role, "state", state_names[state], "why", reasons);
        const json_t *took_ms = json_object_get(planning->times, name);
        if (took_ms && state != STEP_CACHED)
                (void)!json_object_set(step, "last_ms", (json_t *)took_ms);
        (void)!json_array_append_new(planning->steps, step);
}

// The earlier step of another role that makes the same entry of the cache; NULL: there is none.
static const char *find_maker_of_same(const struct planning *planning, const char *name) {
        size_t index, length = strcspn(name, " ");
        const json_t *step;
        json_array_foreach(planning->steps, index, step) {
                const char *other = member_text(step, "step");
                bool is_of_kind = strncmp(other, name, length) == 0 && other[length] == ' ';
                bool is_made = strcmp(member_text(step, "state"), state_names[STEP_MAKE]) == 0;
                if (is_of_kind && is_made && recipe_inputs_are_same(planning->now, other, name))
                        return other;
        }
        return NULL;
}

static void add_kept_step(struct planning *planning, const char *name, const char *role, bool is_cached,
                          bool is_damaged) {
        json_t *reasons = json_array();
        enum step_state state = STEP_CACHED;
        const char *same = NULL;
        if (!is_cached)
                same = find_maker_of_same(planning, name);
        if (same) {
                auto_free char *text = xasprintf("it is what `%s` makes", same);
                add_why(reasons, text);
        } else if (!is_cached) {
                state = STEP_MAKE;
                add_make_reasons(planning, name, is_damaged, reasons);
        }
        add_step(planning, name, role, state, reasons);
}

static void add_unknown_step(struct planning *planning, const char *name, const char *role, const char *until) {
        json_t *reasons = json_array();
        add_why(reasons, until);
        add_step(planning, name, role, STEP_UNKNOWN, reasons);
}

// ---- layers and roots ----

// `layer` NULL: packages that are not downloaded decide it, so that it cannot have been made of them.
static bool add_layer_step(struct planning *planning, const char *name, const char *role, const struct layer *layer,
                           bool is_read, bool *ret_whole, struct err *err) {
        bool is_whole = false, is_there = false;
        if (layer) {
                if (!layer_is_whole(&planning->build.rootfs, layer, is_read, &is_whole, err))
                        return false;
                is_there = fs_exists(AT_FDCWD, layer->path);
        }
        add_kept_step(planning, name, role, is_whole, is_there && !is_whole);
        *ret_whole = is_whole;
        return true;
}

static bool shares_base(const struct build *build) {
        for (size_t i = 0; i < build->role_count; i++)
                if (build->roles[i].over_base)
                        return true;
        return false;
}

// The kernel of a root that is not there, from the build that had the same.
static void take_kernel_of_before(struct planning *planning, struct role_build *role, const char *pack,
                                  struct artefact_role *artefact) {
        auto_free char *kernel = xasprintf("kernel %s", role->role->name);
        auto_free char *initrd = xasprintf("initrd %s", role->role->name);
        if (!recipe_step_is_same(planning->before, planning->now, pack))
                return;
        auto_free char *image = recipe_input(planning->before, kernel, "image");
        auto_free char *version = recipe_input(planning->before, initrd, "kernel");
        if (!image || !version)
                return;
        artefact->kernel_path = arena_strdup(&role->arena, image);
        artefact->kernel_version = arena_strdup(&role->arena, version);
}

static bool read_kernel(struct planning *planning, struct role_build *role, struct artefact_role *artefact,
                        struct err *err) {
        const struct build *build = &planning->build;
        if (!layer_mount(&build->rootfs, role->layer, &role->root, err))
                return false;
        artefact->root = role->root.fd;
        return phase_find_kernel(role, build->cluster, build->options->only, artefact, err);
}

static bool add_role_root(struct planning *planning, size_t index, bool base_is_whole, struct err *err) {
        struct build *build = &planning->build;
        struct role_build *role = &build->roles[index];
        struct artefact_role *artefact = &planning->artefacts.roles[index];
        auto_free char *install = xasprintf("install %s", role->role->name);
        auto_free char *pack = xasprintf("pack %s", role->role->name);
        bool is_whole = false;
        if (!add_layer_step(planning, install, role->role->name, role->layer, role->reads_layer, &is_whole, err))
                return false;
        artefact->root_key = role->root_key;
        bool can_be_read = is_whole && (!role->over_base || base_is_whole);
        if (can_be_read)
                return read_kernel(planning, role, artefact, err);
        take_kernel_of_before(planning, role, pack, artefact);
        return true;
}

static bool add_roots(struct planning *planning, struct err *err) {
        struct build *build = &planning->build;
        bool base_is_whole = false;
        if (shares_base(build) &&
            !add_layer_step(planning, RECIPE_BASE, NULL, build->base, phase_reads_base(build), &base_is_whole, err))
                return false;
        for (size_t i = 0; i < build->role_count; i++)
                if (!interrupt_check(err) || !add_role_root(planning, i, base_is_whole, err))
                        return false;
        return true;
}

// ---- artefacts ----

static bool add_looked_at(struct planning *planning, const struct artefact_kind *kind, size_t index, const char *name,
                          struct err *err) {
        const struct artefact_role *role = &planning->artefacts.roles[index];
        auto_buf inputs = { 0 };
        bool is_cached = false;
        if (!role->root_key || !role->kernel_path) {
                add_unknown_step(planning, name, role->role->name,
                                 "not known before the role's packages are installed");
                return true;
        }
        if (!kind->look(&planning->artefacts, role, &inputs, &is_cached, err))
                return false;
        bool is_sure = is_cached || role->root >= 0;
        if (is_sure)
                add_kept_step(planning, name, role->role->name, is_cached, false);
        else
                add_unknown_step(planning, name, role->role->name,
                                 "not known before the role's packages are installed");
        return true;
}

// What each build has its own of.
static void add_written(struct planning *planning, const struct artefact_kind *kind, const char *name,
                        const char *role) {
        json_t *reasons = json_array();
        bool is_configuration = role && strcmp(kind->name, "config") == 0;
        if (is_configuration && planning->before)
                recipe_configuration_reasons(planning->before, planning->now, role, reasons);
        if (json_array_size(reasons) == 0)
                add_why(reasons, "each build has its own");
        add_step(planning, name, role, STEP_MAKE, reasons);
}

static bool add_kind_of_role(struct planning *planning, const struct artefact_kind *kind, size_t index,
                             struct err *err) {
        const struct role_build *built = &planning->build.roles[index];
        const char *role = built->role->name;
        bool is_packing = strcmp(kind->name, "squashfs") == 0;
        auto_free char *name = xasprintf("%s %s", is_packing ? "pack" : kind->name, role);
        if (is_packing) {
                add_kept_step(planning, name, role, built->is_packed, false);
                return true;
        }
        if (kind->look)
                return add_looked_at(planning, kind, index, name, err);
        add_written(planning, kind, name, role);
        return true;
}

static bool add_kind(struct planning *planning, const struct artefact_kind *kind, struct err *err) {
        const struct build *build = &planning->build;
        if (!artefacts_want(build->cluster, kind, build->options->only))
                return true;
        if (!kind->per_role) {
                auto_free char *name = xasprintf("%s %s", kind->name, build->cluster->name);
                add_written(planning, kind, name, NULL);
                return true;
        }
        for (size_t i = 0; i < build->role_count; i++)
                if (!add_kind_of_role(planning, kind, i, err))
                        return false;
        return true;
}

static bool add_artefacts(struct planning *planning, struct err *err) {
        const struct bootloader_tree tree = phase_bootloader_tree(&planning->build);
        bool is_cached = false;
        if (!bootloader_tree_look(&tree, &is_cached, err))
                return false;
        add_kept_step(planning, RECIPE_BOOTLOADERS, NULL, is_cached, false);
        for (size_t i = 0; i < artefact_kind_count; i++)
                if (!add_kind(planning, artefact_kinds[i], err))
                        return false;
        return true;
}

// ---- downloads ----

static void add_download(struct planning *planning, const struct package_whereabouts *found) {
        const struct package *package = found->package;
        const char *from = "network";
        if (found->source == PACKAGE_LOCAL)
                from = "this machine";
        (void)!json_array_append_new(planning->downloads,
                                     json_pack("{ss ss sI ss sb}", "nevra", package->nevra, "repository",
                                               package->repository->name, "bytes", (json_int_t)package->size_bytes,
                                               "from", from, "damaged", found->is_damaged));
        if (found->source == PACKAGE_LOCAL)
                planning->copy_bytes += package->size_bytes;
        else
                planning->download_bytes += package->size_bytes;
}

static bool look_for_packages(struct planning *planning, struct err *err) {
        struct package_set all;
        selection_all(&planning->build.selection, &all);
        auto_free struct package_whereabouts *found = xcalloc(all.count + 1, sizeof *found);
        bool ok = packages_look(planning->build.packages, &all, found, err);
        for (size_t i = 0; ok && i < all.count; i++)
                if (found[i].source != PACKAGE_CACHED)
                        add_download(planning, &found[i]);
        package_set_release(&all);
        return ok;
}

// ---- the build to compare with ----

static void read_current(struct planning *planning, int dir) {
        ssize_t length = readlinkat(dir, "current", planning->before_id, sizeof planning->before_id - 1);
        planning->before_id[length > 0 ? length : 0] = '\0';
        if (length > 0)
                planning->before = build_recipe_read(dir, planning->before_id);
}

// Where no whole build is there, the newest part of one.
static void read_newest_part(struct planning *planning, int dir) {
        auto_free char *id = build_recipe_newest(dir);
        if (!id)
                return;
        snprintf(planning->before_id, sizeof planning->before_id, "%s", id);
        planning->before = build_recipe_read(dir, id);
}

static bool find_build_before(struct planning *planning, struct err *err) {
        const struct build *build = &planning->build;
        struct publication whole = PUBLICATION_CLOSED;
        if (!publication_open_to_look(build->options->out, build->cluster->name, false, &whole, err))
                return false;
        if (whole.dir >= 0) {
                read_current(planning, whole.dir);
                planning->times = plan_times_read(whole.dir);
        }
        bool may_be_part = planning->before_id[0] == '\0' && build->publication.is_partial;
        if (may_be_part && build->publication.dir >= 0)
                read_newest_part(planning, build->publication.dir);
        publication_close(&whole);
        return true;
}

// ---- the plan ----

static bool open_to_look(struct planning *planning, struct err *err) {
        struct build *build = &planning->build;
        const struct build_options *options = build->options;
        if (!build_begin(build, &planning->artefacts, err) || !plan_aside_open(options->cache, &planning->aside, err) ||
            !cache_open_to_look(options->cache, planning->aside.path, &build->cache, err))
                return false;
        build->rootfs.cache = build->cache;
        planning->artefacts.cache = build->cache;
        return publication_open_to_look(options->out, build->cluster->name, build_is_partial(build),
                                        &build->publication, err) &&
               find_build_before(planning, err);
}

static void prepare_roles(struct planning *planning) {
        struct build *build = &planning->build;
        struct artefact_build *artefacts = &planning->artefacts;
        artefacts->roles = arena_alloc(&build->arena, (build->role_count + 1) * sizeof *artefacts->roles);
        artefacts->role_count = build->role_count;
        for (size_t i = 0; i < build->role_count; i++)
                artefacts->roles[i] = (struct artefact_role){ .role = build->roles[i].role,
                                                              .packages = &build->selection.roles[i],
                                                              .root = -1,
                                                              .config = -1,
                                                              .bootloader = -1,
                                                              .out = -1 };
}

// With what is known by now.
static bool remake_recipe(struct planning *planning, struct err *err) {
        json_decref(take_ptr(planning->now));
        return build_recipe_make(&planning->build, &planning->artefacts, &planning->now, err);
}

// Of a build that is not there yet.
static bool plan_steps(struct planning *planning, struct err *err) {
        struct build *build = &planning->build;
        prepare_roles(planning);
        if (!look_for_packages(planning, err) || !build_identify_makers(build, err) || !phase_find_layers(build, err))
                return false;
        return remake_recipe(planning, err) && add_roots(planning, err) && remake_recipe(planning, err) &&
               add_artefacts(planning, err);
}

static json_t *plan_changes(const struct planning *planning) {
        json_t *changes = json_array();
        if (planning->before && planning->now)
                recipe_build_reasons(planning->before, planning->now, changes);
        return changes;
}

static json_t *plan_answer(struct planning *planning, bool is_new) {
        const struct build *build = &planning->build;
        auto_free char *path = build_published_path(build);
        bool becomes_current = !build->publication.is_partial && strcmp(planning->before_id, build->id) != 0;
        const char *before = planning->before_id[0] ? planning->before_id : NULL;
        return json_pack("{ss ss ss sb sb sb ss? sb so sO sO sI sI sI}", "cluster", build->cluster->name, "build",
                         build->id, "path", path, "new", is_new, "partial", build->publication.is_partial,
                         "becomes_current", becomes_current, "before", before, "before_is_known",
                         planning->before != NULL, "changes", plan_changes(planning), "steps", planning->steps,
                         "downloads", planning->downloads, "download_bytes", (json_int_t)planning->download_bytes,
                         "copy_bytes", (json_int_t)planning->copy_bytes, "metadata_bytes",
                         (json_int_t)plan_aside_downloaded(&planning->aside));
}

static bool plan_or_fail(struct planning *planning, json_t **ret, struct err *err) {
        struct build *build = &planning->build;
        bool is_there = false;
        if (!open_to_look(planning, err) || !phase_select(build, err) || !build_identify(build, err) ||
            !build_is_published(build, &is_there, err))
                return false;
        if (!is_there && !plan_steps(planning, err))
                return false;
        *ret = plan_answer(planning, !is_there);
        return *ret || fail(err, ERR_INTERNAL, 0, "the plan cannot be written");
}

bool build_plan_make(struct cluster *cluster, const struct build_options *options, json_t **ret, struct err *err) {
        assert(!options->remote);
        struct planning planning = {
                .build = build_new(cluster, options),
                .steps = json_array(),
                .downloads = json_array(),
        };
        bool ok = plan_or_fail(&planning, ret, err);
        json_decref(planning.before);
        json_decref(planning.now);
        json_decref(planning.times);
        json_decref(planning.steps);
        json_decref(planning.downloads);
        build_release(&planning.build);
        plan_aside_close(&planning.aside);
        return ok;
}
