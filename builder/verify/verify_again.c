// SPDX-License-Identifier: MIT
// Making a published build again from its lock, options and profiles.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/locations.h"
#include "base/mem.h"
#include "base/progress.h"
#include "build/build.h"
#include "build/build_id.h"
#include "cache/cache.h"
#include "cache/scratch.h"
#include "profile/profile.h"
#include "sandbox/sandbox.h"
#include "selection/lock_file.h"
#include "verify/compare/compare.h"
#include "verify/internal.h"

enum { NAMED_INPUTS = 20 };

struct again {
        struct published_build *build;
        const struct verify_options *options;
        struct arena arena;
        struct build_origin origin;
        struct strings set, only, roles; // as the manifest has them
        struct cluster *cluster;
        struct lock_file *lock;
        struct cache *cache;
        struct scratch scratch; // where it is built
        char *rebuilt;          // its published build
};

// ---- what it was made from ----

static void take_list(struct arena *arena, const json_t *list, struct strings *ret) {
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));
                if (text)
                        *array_append(&ret->items, &ret->count) = arena_strdup(arena, text);
        }
}

static bool read_manifest(struct again *again, struct err *err) {
        const json_t *manifest = again->build->manifest, *options = json_object_get(manifest, "options");
        json_t *roles = json_object_get(manifest, "roles"), *role;
        const char *name;
        if (!json_is_object(options) || !json_is_object(json_object_get(manifest, "inputs")) ||
            !json_is_object(roles)) {
                fail(err, ERR_REFERENCE, 0, "%s does not say how the build was made", MANIFEST_NAME);
                return hint(err, "builds of this kiln have it, with --only if `manifest` is among the kinds; "
                                 "--no-rebuild checks the others");
        }
        take_list(&again->arena, json_object_get(options, "set"), &again->set);
        take_list(&again->arena, json_object_get(options, "only"), &again->only);
        json_object_foreach(roles, name, role) * array_append(&again->roles.items, &again->roles.count) =
            arena_strdup(&again->arena, name);
        return true;
}

static bool find_origin(struct again *again, struct err *err) {
        const struct build_origin *given = &again->options->origin;
        struct build_origin *origin = &again->origin;
        if (!build_origin_read(again->build->path, &again->arena, origin, err))
                return false;
        if (given->cluster)
                origin->cluster = given->cluster;
        if (given->release)
                origin->release = given->release;
        if (given->repositories)
                origin->repositories = given->repositories;
        origin->cache = given->cache ? given->cache : origin->cache ? origin->cache : again->options->default_cache;
        if (origin->cluster)
                return true;
        fail(err, ERR_USAGE, 0, "%s: nothing readable beside it says which cluster file it was made from",
             again->build->path);
        return hint(err, "kiln verify BUILD CLUSTER.yaml");
}

static bool load(struct again *again, const char *release, struct err *err) {
        struct profile_options options = { .release = release, .set = again->set, .roles = again->roles };
        cluster_free(take_ptr(again->cluster));
        return cluster_load(again->origin.cluster, &options, &again->cluster, err);
}

static bool load_cluster(struct again *again, struct err *err) {
        const char *name = json_string_value(json_object_get(again->build->manifest, "cluster"));
        const char *release = json_string_value(json_object_get(again->build->manifest, "release"));
        if (!load(again, again->origin.release, err))
                return false;
        if (release && strcmp(again->cluster->release.name, release) != 0 && !load(again, release, err))
                return false;
        return !name || strcmp(name, again->cluster->name) == 0 ||
               fail(err, ERR_INPUTS, 0, "%s is of cluster %s, the build of cluster %s", again->origin.cluster,
                    again->cluster->name, name);
}

static void note_input(struct buf *to, size_t *count, const char *name, const char *what) {
        if (++*count <= NAMED_INPUTS)
                buf_printf(to, "\n  %s %s", name, what);
}

static bool same_text(const json_t *left, const json_t *right, const char *key) {
        const json_t *a = json_object_get(left, key), *b = json_object_get(right, key);
        return a && b && json_equal(a, b);
}

static size_t compare_inputs(const json_t *then, const json_t *now, struct buf *to) {
        json_t *old = json_object_get(then, "files"), *new = json_object_get(now, "files"), *value;
        size_t count = 0;
        const char *name;
        json_object_foreach(old, name, value) if (!json_object_get(new, name))
            note_input(to, &count, name, "is no longer among them");
        else if (!same_text(old, new, name)) note_input(to, &count, name, "has changed");
        json_object_foreach(new, name, value) if (!json_object_get(old, name)) note_input(to, &count, name, "is new");
        if (!same_text(then, now, "code") || !same_text(then, now, "version"))
                note_input(to, &count, "kiln", "itself is another one");
        if (count > NAMED_INPUTS)
                buf_printf(to, "\n  and %zu more", count - NAMED_INPUTS);
        return count;
}

// Other profiles give other bits: that says nothing about the published ones.
static bool check_inputs(struct again *again, struct err *err) {
        struct locations locations;
        json_t *now = NULL;
        auto_buf text = { 0 };
        if (!locations_find(&again->arena, &locations, err) || !build_inputs(again->cluster, &locations, &now, err))
                return false;
        size_t count = compare_inputs(json_object_get(again->build->manifest, "inputs"), now, &text);
        json_decref(now);
        if (count == 0)
                return true;
        fail(err, ERR_INPUTS, 0, "the profiles are not those of build %s:%s", again->build->path, buf_text(&text));
        return hint(err, "check out what it was built from, or verify it with --no-rebuild");
}

static bool read_lock(struct again *again, struct err *err) {
        auto_free char *path = xasprintf("%s/packages.lock", again->build->path);
        if (!lock_file_read(path, &again->lock, err))
                return false;
        return again->lock || fail(err, ERR_REFERENCE, ENOENT, "%s", path);
}

// ---- building ----

static bool build_again(struct again *again, struct err *err) {
        const json_t *manifest = again->build->manifest, *options = json_object_get(manifest, "options");
        json_int_t epoch = json_integer_value(json_object_get(manifest, "source_date_epoch"));
        auto_free char *date = xasprintf("%lld", (long long)epoch);
        auto_free char *out = xasprintf("%s/out", again->scratch.path);
        struct build_options build = {
                .out = out,
                .cache = again->scratch.path,
                .http_base = json_string_value(json_object_get(options, "http_base")),
                .source_date_epoch = date,
                .repositories = again->origin.repositories,
                .only = &again->only,
                .lock = again->lock,
                .offline = again->options->offline,
                .jobs = again->options->jobs,
        };
        bool is_new = false;
        return build_cluster(again->cluster, &build, &again->rebuilt, &is_new, err) || wrap(err, "building it again");
}

// ---- comparing ----

static bool compare_one(struct again *again, const struct published_build *rebuilt, const char *path, struct err *err) {
        auto_buf difference = { 0 };
        auto_close int expected = -1, found = -1;
        if (!fs_open(rebuilt->dir, path, O_RDONLY | O_NOFOLLOW, 0, &expected, err) ||
            !fs_open(again->build->dir, path, O_RDONLY | O_NOFOLLOW, 0, &found, err))
                return false;
        struct compared files = { path, expected, found };
        if (!compare_files(&files, &difference, err))
                return false;
        if (difference.size > 0)
                verify_note(again->build, "%s: %s", path, buf_text(&difference));
        return true;
}

// Build kinds make directories even where they have nothing to put into them; SHA256SUMS knows none.
static void compare_directories(struct published_build *build, const struct published_build *rebuilt) {
        for (size_t i = 0; i < build->directory_count; i++) {
                const char *path = build->directories[i];
                if (!fs_exists(rebuilt->dir, path))
                        verify_note(build, "%s: a directory that should not be there", path);
        }
}

static bool compare_builds(struct again *again, const struct published_build *rebuilt, struct err *err) {
        struct published_build *build = again->build;
        for (size_t i = 0; i < rebuilt->count; i++) {
                const struct published_file *file = &rebuilt->files[i];
                const struct published_file *found = verify_find(build, file->path);
                if (!interrupt_check(err))
                        return false;
                if (!found)
                        verify_note(build, "%s: missing, and not in " SUMS_NAME, file->path);
                else if (found->exists && strcmp(found->sha256, file->sha256) != 0 &&
                         !compare_one(again, rebuilt, file->path, err))
                        return false;
        }
        for (size_t i = 0; i < build->count; i++)
                if (*build->files[i].listed && !verify_find(rebuilt, build->files[i].path))
                        verify_note(build, "%s: should not be there", build->files[i].path);
        compare_directories(build, rebuilt);
        return compare_one(again, rebuilt, SUMS_NAME, err);
}

static bool compare(struct again *again, struct err *err) {
        struct published_build rebuilt;
        struct progress progress;
        bool ok = published_open(again->rebuilt, &rebuilt, err) && verify_sums(&rebuilt, again->options->jobs, err);
        if (ok && rebuilt.finding_count > 0)
                ok = fail(err, ERR_INTERNAL, 0, "%s is damaged:%s", again->rebuilt, buf_text(&rebuilt.findings));
        progress_begin(&progress, "compare", "bytes", 0);
        ok = ok && compare_builds(again, &rebuilt, err);
        progress_end(&progress);
        published_close(&rebuilt);
        return ok;
}

static void release(struct again *again) {
        scratch_remove(&again->scratch);
        free(again->rebuilt);
        cache_close(again->cache);
        lock_file_free(again->lock);
        cluster_free(again->cluster);
        free(again->set.items);
        free(again->only.items);
        free(again->roles.items);
        arena_release(&again->arena);
}

bool verify_again(struct published_build *build, const struct verify_options *options, struct err *err) {
        struct again again = { .build = build, .options = options, .scratch = { .lock = -1 } };
        bool ok = read_manifest(&again, err) && find_origin(&again, err) && load_cluster(&again, err) &&
                  check_inputs(&again, err) && read_lock(&again, err) && sandbox_enter(err) &&
                  cache_open(again.origin.cache, &again.cache, err) && scratch_make(again.cache, &again.scratch, err) &&
                  build_again(&again, err) && compare(&again, err);
        release(&again);
        return ok;
}
