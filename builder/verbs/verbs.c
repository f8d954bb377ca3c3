// SPDX-License-Identifier: MIT
#include "verbs/verbs.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/locations.h"
#include "base/mem.h"
#include "base/progress.h"
#include "boot/boot.h"
#include "build/build.h"
#include "cache/cache.h"
#include "packages/packages.h"

enum { CACHE_LIMIT_GB = 30 };

bool verbs_load_cluster(const struct options *options, struct cluster **ret, struct err *err) {
        struct profile_options profile = { .release = options->release, .set = options->set, .roles = options->roles };
        return cluster_load(options->arguments[0], &profile, ret, err);
}

const char *const *verbs_repositories(struct arena *arena, const struct options *options) {
        const char **list = arena_alloc(arena, (options->repositories.count + 1) * sizeof *list);
        for (size_t i = 0; i < options->repositories.count; i++)
                list[i] = options->repositories.items[i];
        return list;
}

const char *verbs_cache_dir(struct arena *arena, const struct options *options) {
        return options->cache ? locations_absolute(arena, options->cache) : locations_default_cache(arena);
}

bool verbs_read_lock(const struct options *options, const struct cluster *cluster, struct lock_file **ret,
                     struct err *err) {
        struct arena arena = { 0 };
        const char *path = options->lock ? options->lock : lock_file_path(&arena, cluster);
        bool ok = lock_file_read(path, ret, err);
        if (ok && !*ret && options->lock)
                ok = fail(err, ERR_REFERENCE, ENOENT, "lock file %s", path);
        if (ok && *ret)
                notice("packages as locked by %s", path);
        arena_release(&arena);
        return ok;
}

// The processors that this process may use, which taskset(1) and containers may have limited.
unsigned verbs_jobs(void) {
        cpu_set_t allowed;
        if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
                return (unsigned)CPU_COUNT(&allowed);
        long count = sysconf(_SC_NPROCESSORS_ONLN);
        return count > 0 ? (unsigned)count : 1;
}

// What was built is published: a cache that stays too large is no failure.
static void trim_cache(const struct options *options, const char *cache) {
        auto_err err = { 0 };
        uint64_t limit_gb = options->cache_limit.given ? options->cache_limit.value : CACHE_LIMIT_GB;
        if (!cache_trim(cache, limit_gb * 1000000000, &err))
                warning("trimming the cache %s: %s", cache, err.text);
}

static bool build_loaded(const struct options *options, struct cluster *cluster, struct arena *arena, struct err *err) {
        struct lock_file *lock = NULL;
        if (!verbs_read_lock(options, cluster, &lock, err))
                return false;
        auto_free char *origin = verbs_origin(arena, options);
        struct build_options build = {
                .out = locations_absolute(arena, options->out ? options->out : "out"),
                .cache = verbs_cache_dir(arena, options),
                .http_base = options->http_base,
                .source_date_epoch = getenv("SOURCE_DATE_EPOCH"),
                .repositories = verbs_repositories(arena, options),
                .only = &options->only,
                .lock = lock,
                .origin = origin,
                .offline = options->offline,
                .allow_downgrade = options->allow_downgrade,
                .jobs = verbs_jobs(),
        };
        auto_free char *path = NULL;
        bool is_new = false;
        bool ok = build_cluster(cluster, &build, &path, &is_new, err);
        lock_file_free(lock);
        if (!ok)
                return false;
        notice("%s", is_new ? "published:" : "nothing has changed; the build is already there:");
        puts(path);
        trim_cache(options, build.cache);
        return true;
}

bool verb_build(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        struct arena arena = { 0 };
        bool ok = verbs_load_cluster(options, &cluster, err) && build_loaded(options, cluster, &arena, err);
        cluster_free(cluster);
        arena_release(&arena);
        return ok;
}

static void print_summary(const struct cluster *cluster) {
        printf("cluster %s, release %s: %zu nodes\n", cluster->name, cluster->release.name, cluster->node_count);
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                printf("  %-10s", role->name);
                for (size_t j = 0; j < role->node_count; j++)
                        printf(" %s", cluster->nodes[role->nodes[j]].name);
                if (role->ensemble)
                        printf("  (quorum %zu of %zu)", role->node_count / 2 + 1, role->node_count);
                putchar('\n');
        }
}

bool verb_check(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        bool ok = verbs_load_cluster(options, &cluster, err);
        if (ok)
                print_summary(cluster);
        cluster_free(cluster);
        return ok;
}

static int by_text(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void print_set(const struct package_set *set) {
        auto_free const char **lines = xcalloc(set->count, sizeof *lines);
        for (size_t i = 0; i < set->count; i++)
                lines[i] = set->items[i].nevra;
        qsort(lines, set->count, sizeof *lines, by_text);
        for (size_t i = 0; i < set->count; i++)
                puts(lines[i]);
}

static bool resolve(const struct options *options, const struct release *release, struct arena *arena,
                    struct err *err) {
        struct packages_options packages_options = {
                .cache = verbs_cache_dir(arena, options),
                .offline = options->offline,
                .replace = verbs_repositories(arena, options),
                .allow_downgrade = options->allow_downgrade,
        };
        struct packages *packages = NULL;
        struct package_set set;
        struct cache_use use = { 0 }; // nothing is pruned meanwhile
        bool ok = (cache_use_begin(packages_options.cache, &use, err) || wrap(err, "preparing the cache")) &&
                  packages_open(release, &packages_options, &packages, err) &&
                  packages_solve(packages, options->arguments, options->argument_count, &set, err);
        if (ok)
                print_set(&set);
        packages_close(packages);
        cache_use_end(&use);
        return ok;
}

// A release by its file, or by name: of profiles/ here, or else of kiln's source tree.
static const char *find_release(struct arena *arena, const char *name) {
        if (strchr(name, '/') || strstr(name, ".yaml"))
                return name;
        const char *here = arena_printf(arena, "profiles/releases/%s.yaml", name);
        struct locations locations;
        auto_err ignored = { 0 };
        if (access(here, F_OK) == 0 || !locations_find(arena, &locations, &ignored))
                return here;
        const char *shipped = arena_printf(arena, "%s/../profiles/releases/%s.yaml", locations.firmware, name);
        return access(shipped, F_OK) == 0 ? shipped : here;
}

static struct repository *find_repository(const struct release *release, const char *name, size_t length) {
        for (size_t i = 0; i < release->repository_count; i++)
                if (strlen(release->repositories[i].name) == length &&
                    strncmp(release->repositories[i].name, name, length) == 0)
                        return &release->repositories[i];
        return NULL;
}

// Who names repositories but no release asks these alone: those that the default release has are as it says, others
// have nothing that vouches for them, which does not matter for an answer in names.
static void take_named(const struct options *options, struct arena *arena, struct release *release) {
        size_t count = 0;
        struct repository *named = arena_alloc(arena, options->repositories.count * sizeof *named);
        for (size_t i = 0; i < options->repositories.count; i++) {
                const char *item = options->repositories.items[i];
                size_t length = strcspn(item, "=");
                const struct repository *known = find_repository(release, item, length);
                const struct release before = { .repositories = named, .repository_count = count };
                if (!item[length] || find_repository(&before, item, length))
                        continue; // packages_open() says what is wrong with it, or has it already
                named[count] = known ? *known : (struct repository){ .trust = TRUST_DIGEST, .priority = 99 };
                named[count++].name = arena_strndup(arena, item, length);
        }
        release->repositories = named;
        release->repository_count = count;
}

bool verb_resolve(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct release release = { 0 };
        const char *path = find_release(&arena, options->release ? options->release : "centos-7.2");
        bool ok = release_load(path, &arena, &release, err);
        if (ok && !options->release && options->repositories.count)
                take_named(options, &arena, &release);
        ok = ok && resolve(options, &release, &arena, err);
        arena_release(&arena);
        return ok;
}

static bool boot_loaded(const struct options *options, struct cluster *cluster, struct arena *arena, struct err *err) {
        const char *out = options->out ? options->out : "out";
        struct boot_options boot = {
                .cluster = cluster,
                .node = options->arguments[1],
                .artefacts =
                    options->artefacts ? options->artefacts : arena_printf(arena, "%s/%s/current", out, cluster->name),
                .medium = options->medium,
                .firmware = options->firmware,
                .network = options->network,
                .serial = options->serial,
                .mac = options->mac,
                .memory = options->memory,
                .accelerator = options->accelerator,
                .entry = options->entry,
                .forwards = options->forwards,
        };
        return boot_node(&boot, err);
}

bool verb_boot(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        struct arena arena = { 0 };
        bool ok = verbs_load_cluster(options, &cluster, err) && boot_loaded(options, cluster, &arena, err);
        cluster_free(cluster);
        arena_release(&arena);
        return ok;
}

bool verb_schema(const struct options *options, struct err *err) {
        const char *kind = options->arguments[0];
        auto_free char *schema = options->text ? profile_reference(kind) : profile_json_schema(kind);
        if (!schema)
                return fail(err, ERR_USAGE, 0, "kiln schema %s: there are cluster, release and role", kind);
        puts(schema);
        return true;
}
