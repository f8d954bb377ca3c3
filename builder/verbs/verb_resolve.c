// SPDX-License-Identifier: MIT
// kiln resolve.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/locations.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "packages/packages.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

#define RELEASE_DEFAULT "centos-7.2"

static int compare_nevras(const void *left, const void *right) {
        const struct package *const *a = left, *const *b = right;
        return strcmp((*a)->nevra, (*b)->nevra);
}

static json_t *package_json(const struct package *package) {
        return json_pack("{ss ss ss ss sI sI}", "nevra", package->nevra, "name", package->name, "arch", package->arch,
                         "repository", package->repository->name, "bytes", (json_int_t)package->size_bytes,
                         "installed_bytes", (json_int_t)package->installed_bytes);
}

static bool print_packages(struct package_set *set, bool is_json, struct err *err) {
        qsort(set->items, set->count, sizeof(const struct package *), compare_nevras);
        if (!is_json) {
                for (size_t i = 0; i < set->count; i++)
                        puts(set->items[i]->nevra);
                return true;
        }
        json_t *packages = json_array();
        for (size_t i = 0; i < set->count; i++)
                (void)!json_array_append_new(packages, package_json(set->items[i]));
        return answer_give(json_pack("{so}", "packages", packages), err);
}

static bool resolve_requests(const struct options *options, const struct release *release, struct arena *arena,
                             struct err *err) {
        struct cache *cache = NULL;
        if (!cache_open(options_cache_dir(arena, options), &cache, err))
                return false;
        struct packages_options packages_options = {
                .cache = cache,
                .offline = options->offline,
                .replace = options_repositories(arena, options),
                .allow_downgrade = options->allow_downgrade,
        };
        struct packages *packages = NULL;
        struct package_set set = { 0 };
        bool ok = packages_open(release, &packages_options, &packages, err) &&
                  packages_solve(packages, options->arguments, options->argument_count, &set, err) &&
                  print_packages(&set, options->json, err);
        package_set_release(&set);
        packages_close(packages);
        cache_close(cache);
        return ok;
}

// A release by its file, or by name: of profiles/ here, or else of those that kiln was installed with.
static const char *release_file(struct arena *arena, const char *name) {
        if (strchr(name, '/') || strstr(name, ".yaml"))
                return name;
        const char *here = arena_printf(arena, "profiles/releases/%s.yaml", name);
        struct locations locations;
        auto_err ignored = { 0 };
        if (access(here, F_OK) == 0 || !locations_find(arena, &locations, &ignored))
                return here;
        const char *shipped = arena_printf(arena, "%s/profiles/releases/%s.yaml", locations.examples, name);
        if (access(shipped, F_OK) == 0)
                return shipped;
        return here; // what the message about an absent file is to name
}

static struct repository *find_repository(const struct release *release, const char *name, size_t length) {
        for (size_t i = 0; i < release->repository_count; i++)
                if (strlen(release->repositories[i].name) == length &&
                    strncmp(release->repositories[i].name, name, length) == 0)
                        return &release->repositories[i];
        return NULL;
}

// --repo without --release asks the named repositories alone. Those that the default release has keep what it says of
// them; what it excludes everywhere is about its own packages, and not about theirs. Nothing vouches for any other,
// which does not matter here: the answer is a list of names, not packages.
static void keep_named_repositories(const struct options *options, struct arena *arena, struct release *release) {
        size_t count = 0;
        struct repository *named = arena_alloc(arena, options->repositories.count * sizeof *named);
        for (size_t i = 0; i < options->repositories.count; i++) {
                const char *item = options->repositories.items[i];
                size_t length = strcspn(item, "=");
                const struct release so_far = { .repositories = named, .repository_count = count };
                if (!item[length] || find_repository(&so_far, item, length))
                        continue; // packages_open() says what is wrong with it, or has it already
                struct repository repository = { .trust = TRUST_DIGEST, .priority = 99 };
                const struct repository *known = find_repository(release, item, length);
                if (known)
                        repository = *known;
                repository.name = arena_strndup(arena, item, length);
                named[count++] = repository;
        }
        release->repositories = named;
        release->repository_count = count;
        release->excludes = (struct strings){ 0 };
}

bool verb_resolve(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct release release = { 0 };
        const char *path = release_file(&arena, text_or(options->release, RELEASE_DEFAULT));
        bool ok = release_load(path, &arena, &release, err);
        if (ok && !options->release && options->repositories.count > 0)
                keep_named_repositories(options, &arena, &release);
        ok = ok && resolve_requests(options, &release, &arena, err);
        arena_release(&arena);
        return ok;
}
