// SPDX-License-Identifier: MIT
#include "verify/verify_rebuild.h"

#include <assert.h>
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
#include "compare_published.h"
#include "profile/profile.h"
#include "sandbox/sandbox.h"
#include "selection/lock_file.h"
#include "verify/verify_signatures.h"

enum { NAMED_INPUTS = 20 };

struct rebuild {
        struct published_build *build;
        const struct verify_options *options;
        struct arena arena;
        struct build_origin origin;
        struct strings set, only, roles; // as the manifest has them
        struct cluster *cluster;
        struct lock_file *lock;
        struct kept_signatures kept;
        struct cache *cache;
        struct scratch scratch; // where it is built
        char *rebuilt;          // its published build
};

// ---- what it was made from ----

static void take_strings(struct arena *arena, const json_t *list, struct strings *ret) {
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));
                if (text)
                        *array_append(&ret->items, &ret->count) = arena_strdup(arena, text);
        }
}

static bool take_options(struct rebuild *rebuild, struct err *err) {
        const json_t *manifest = rebuild->build->manifest, *options = json_object_get(manifest, "options");
        json_t *roles = json_object_get(manifest, "roles"), *role;
        const char *name;
        if (!json_is_object(options) || !json_is_object(json_object_get(manifest, "inputs")) ||
            !json_is_object(roles)) {
                fail(err, ERR_REFERENCE, 0, "%s does not say how the build was made", MANIFEST_NAME);
                return hint(err, "builds of this kiln have it, with --only if `manifest` is among the kinds; "
                                 "--no-rebuild checks the others");
        }
        take_strings(&rebuild->arena, json_object_get(options, "set"), &rebuild->set);
        take_strings(&rebuild->arena, json_object_get(options, "only"), &rebuild->only);
        json_object_foreach(roles, name, role) * array_append(&rebuild->roles.items, &rebuild->roles.count) =
            arena_strdup(&rebuild->arena, name);
        return true;
}

static bool find_origin(struct rebuild *rebuild, struct err *err) {
        const struct build_origin *given = &rebuild->options->origin;
        struct build_origin *origin = &rebuild->origin;
        if (!build_origin_read(rebuild->build->path, &rebuild->arena, origin, err))
                return false;
        if (given->cluster)
                origin->cluster = given->cluster;
        if (given->release)
                origin->release = given->release;
        if (given->repositories)
                origin->repositories = given->repositories;
        if (given->allow_outside)
                origin->allow_outside = given->allow_outside;
        if (given->cache)
                origin->cache = given->cache;
        if (given->uki_stub)
                origin->uki_stub = given->uki_stub;
        if (!origin->cache)
                origin->cache = rebuild->options->default_cache;
        if (origin->cluster)
                return true;
        fail(err, ERR_USAGE, 0, "%s: nothing readable beside it says which cluster file it was made from",
             rebuild->build->path);
        return hint(err, "kiln verify BUILD CLUSTER.yaml");
}

static bool load_with_release(struct rebuild *rebuild, const char *release, struct err *err) {
        struct profile_options options = { .release = release, .set = rebuild->set, .roles = rebuild->roles };
        for (const char *const *next = rebuild->origin.allow_outside; next && *next; next++)
                strings_add_once(&rebuild->arena, &options.allow_outside, *next);
        cluster_free(take_ptr(rebuild->cluster));
        return cluster_load(rebuild->origin.cluster, &options, &rebuild->cluster, err);
}

static bool load_same_cluster(struct rebuild *rebuild, struct err *err) {
        const char *name = json_string_value(json_object_get(rebuild->build->manifest, "cluster"));
        const char *release = json_string_value(json_object_get(rebuild->build->manifest, "release"));
        if (!load_with_release(rebuild, rebuild->origin.release, err))
                return false;
        if (release && strcmp(rebuild->cluster->release.name, release) != 0 &&
            !load_with_release(rebuild, release, err))
                return false;
        return !name || strcmp(name, rebuild->cluster->name) == 0 ||
               fail(err, ERR_INPUTS, 0, "%s is of cluster %s, the build of cluster %s", rebuild->origin.cluster,
                    rebuild->cluster->name, name);
}

static void add_changed_input(struct buf *to, size_t *count, const char *name, const char *what) {
        if (++*count <= NAMED_INPUTS)
                buf_printf(to, "\n  %s %s", name, what);
}

static bool is_same_member(const json_t *left, const json_t *right, const char *key) {
        const json_t *a = json_object_get(left, key), *b = json_object_get(right, key);
        return a && b && json_equal(a, b);
}

static size_t compare_inputs(const json_t *then, const json_t *now, struct buf *to) {
        json_t *old = json_object_get(then, "files"), *new = json_object_get(now, "files"), *value;
        size_t count = 0;
        const char *name;
        json_object_foreach(old, name, value) if (!json_object_get(new, name))
            add_changed_input(to, &count, name, "is no longer among them");
        else if (!is_same_member(old, new, name)) add_changed_input(to, &count, name, "has changed");
        json_object_foreach(new, name, value) if (!json_object_get(old, name))
            add_changed_input(to, &count, name, "is new");
        if (!is_same_member(then, now, "code") || !is_same_member(then, now, "version"))
                add_changed_input(to, &count, "kiln", "itself is another one");
        if (count > NAMED_INPUTS)
                buf_printf(to, "\n  and %zu more", count - NAMED_INPUTS);
        return count;
}

// Other profiles give other bits: that says nothing about the published ones.
static bool check_same_inputs(struct rebuild *rebuild, struct err *err) {
        struct locations locations;
        json_t *now = NULL;
        auto_buf text = { 0 };
        const char *stub = artefacts_uki_stub(rebuild->cluster, &rebuild->only, rebuild->origin.uki_stub);
        if (!locations_find(&rebuild->arena, &locations, err) ||
            !build_inputs(rebuild->cluster, &locations, stub, &now, err))
                return false;
        size_t count = compare_inputs(json_object_get(rebuild->build->manifest, "inputs"), now, &text);
        json_decref(now);
        if (count == 0)
                return true;
        fail(err, ERR_INPUTS, 0, "the profiles are not those of build %s:%s", rebuild->build->path, buf_text(&text));
        return hint(err, "check out what it was built from, or verify it with --no-rebuild");
}

static bool read_published_lock(struct rebuild *rebuild, struct err *err) {
        auto_free char *path = xasprintf("%s/packages.lock", rebuild->build->path);
        if (!lock_file_read(path, &rebuild->lock, err))
                return false;
        return rebuild->lock || fail(err, ERR_REFERENCE, ENOENT, "%s", path);
}

// ---- building ----

static bool build_into_scratch(struct rebuild *rebuild, struct err *err) {
        if (!sandbox_enter(err) || !cache_open(rebuild->origin.cache, &rebuild->cache, err) ||
            !scratch_make(rebuild->cache, &rebuild->scratch, err))
                return false;
        const json_t *manifest = rebuild->build->manifest, *options = json_object_get(manifest, "options");
        json_int_t serial = json_integer_value(json_object_get(options, "serial"));
        json_int_t epoch = json_integer_value(json_object_get(manifest, "source_date_epoch"));
        auto_free char *date = xasprintf("%lld", (long long)epoch);
        auto_free char *out = xasprintf("%s/out", rebuild->scratch.path);
        struct build_options build = {
                .out = out,
                .cache = rebuild->scratch.path,
                .http_base = json_string_value(json_object_get(options, "http_base")),
                .source_date_epoch = date,
                .repositories = rebuild->origin.repositories,
                .only = &rebuild->only,
                .lock = rebuild->lock,
                .kept = &rebuild->kept,
                .uki_stub = rebuild->origin.uki_stub,
                .serial = (uint64_t)serial,
                .offline = rebuild->options->offline,
                .jobs = rebuild->options->jobs,
        };
        struct build_result result = { 0 };
        if (!build_cluster(rebuild->cluster, &build, &result, err))
                return wrap(err, "building it again");
        rebuild->rebuilt = result.path;
        return true;
}

static void rebuild_release(struct rebuild *rebuild) {
        scratch_remove(&rebuild->scratch);
        free(rebuild->rebuilt);
        cache_close(rebuild->cache);
        lock_file_free(rebuild->lock);
        cluster_free(rebuild->cluster);
        free(rebuild->set.items);
        free(rebuild->only.items);
        free(rebuild->roles.items);
        arena_release(&rebuild->arena);
}

bool verify_rebuild(struct published_build *build, const struct verify_options *options, struct err *err) {
        assert(options->default_cache);
        struct rebuild rebuild = { .build = build, .options = options, .scratch = { .lock = -1 } };
        bool is_known = take_options(&rebuild, err) && find_origin(&rebuild, err) && load_same_cluster(&rebuild, err) &&
                        check_same_inputs(&rebuild, err) && read_published_lock(&rebuild, err) &&
                        published_signatures(build, &rebuild.arena, &rebuild.kept, err);
        bool ok = is_known && build_into_scratch(&rebuild, err) &&
                  compare_published(build, rebuild.rebuilt, options->jobs, err);
        rebuild_release(&rebuild);
        return ok;
}
