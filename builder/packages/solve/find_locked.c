// SPDX-License-Identifier: MIT
// packages_find_locked(): the packages that a lock names, found again in metadata or, where their repository does not
// list them any more, in the cache.
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/package_describe.h"
#include "packages/solve/pool.h"

// libsolv's headers need pool.h first
#include <solv/evr.h>
#include <solv/repo_rpmdb.h>

enum { PROBLEMS_MAX = 20 };

// One locked package, and what metadata has of it.
struct wanted_package {
        const struct locked_package *locked;
        size_t index;   // in the caller's order
        Id found;       // the very package; 0: not in metadata
        Id replacement; // of that NEVRA in that repository, with another checksum
};

struct locked_search {
        struct packages *packages;
        struct wanted_package *wanted; // sorted by NEVRA
        size_t count;
        struct buf problems;
        size_t problem_count;
        bool replaced; // one of the problems is a changed checksum
};

static int compare_wanted(const void *left, const void *right) {
        const struct wanted_package *a = left, *b = right;
        return strcmp(a->locked->nevra, b->locked->nevra);
}

static int compare_nevra_to_wanted(const void *key, const void *element) {
        const struct wanted_package *wanted = element;
        return strcmp(key, wanted->locked->nevra);
}

// Checksum and size say whether it is the file that was locked.
static bool is_same_file(Solvable *solvable, const struct locked_package *locked) {
        Id type = 0;
        const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
        uint64_t size = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, locked->size_bytes);
        return checksum && strcmp(checksum, locked->checksum) == 0 && size == locked->size_bytes;
}

// The first of the wanted packages with a NEVRA; several repositories may have one. NULL: none.
static struct wanted_package *first_wanted(const struct locked_search *search, const char *nevra) {
        struct wanted_package *wanted =
            bsearch(nevra, search->wanted, search->count, sizeof *search->wanted, compare_nevra_to_wanted);
        if (!wanted)
                return NULL;
        while (wanted > search->wanted && strcmp(wanted[-1].locked->nevra, nevra) == 0)
                wanted--;
        return wanted;
}

static void match_solvable(struct locked_search *search, Id id, const struct source *source) {
        Pool *pool = search->packages->pool;
        const char *nevra = pool_solvid2str(pool, id);
        const struct wanted_package *end = search->wanted + search->count;
        struct wanted_package *wanted = first_wanted(search, nevra);
        if (!wanted)
                return;
        for (; wanted < end && strcmp(wanted->locked->nevra, nevra) == 0; wanted++) {
                if (strcmp(wanted->locked->repository, source->repository->name) != 0)
                        continue;
                if (is_same_file(pool_id2solvable(pool, id), wanted->locked))
                        wanted->found = id;
                else
                        wanted->replacement = id;
        }
}

static void search_metadata(struct locked_search *search) {
        Pool *pool = search->packages->pool;
        for (Id id = 2; search->count > 0 && id < pool->nsolvables; id++) {
                const struct source *source = pool_source(pool_id2solvable(pool, id));
                if (source)
                        match_solvable(search, id, source);
        }
}

static void __attribute__((format(printf, 2, 3))) add_problem(struct locked_search *search, const char *format, ...) {
        if (search->problem_count++ >= PROBLEMS_MAX)
                return;
        va_list arguments;
        va_start(arguments, format);
        buf_append_text(&search->problems, "\n  ");
        buf_vprintf(&search->problems, format, arguments);
        va_end(arguments);
}

static struct source *source_named(const struct packages *packages, const char *name) {
        for (size_t i = 0; i < packages->source_count; i++)
                if (strcmp(packages->sources[i].repository->name, name) == 0)
                        return &packages->sources[i];
        return NULL;
}

// Sets epoch, version, release and architecture from NAME-[EPOCH:]VERSION-RELEASE.ARCH, as far as they are there.
static void describe_nevra(struct arena *arena, const char *nevra, const char *name, struct package *package) {
        const char *version = nevra + strlen(name) + 1;
        const char *colon = strchr(version, ':');
        if (colon) {
                package->epoch = strtoull(version, NULL, 10);
                version = colon + 1;
        }
        const char *end = version + strlen(version);
        const char *dash = strrchr(version, '-');
        const char *dot = strrchr(version, '.');
        if (!dash)
                dash = end;
        if (!dot || dot < dash)
                dot = end;
        package->version = arena_strndup(arena, version, (size_t)(dash - version));
        package->release = "";
        package->arch = "";
        if (dash < dot)
                package->release = arena_strndup(arena, dash + 1, (size_t)(dot - dash - 1));
        if (dot < end)
                package->arch = arena_strdup(arena, dot + 1);
}

static void describe_cached(struct packages *packages, const struct source *source, const struct locked_package *locked,
                            Id id) {
        struct arena *arena = &packages->arena;
        struct package *package = arena_alloc(arena, sizeof *package);
        *package = (struct package){
                .solvable = id,
                .name = arena_strdup(arena, locked->name),
                .nevra = arena_strdup(arena, locked->nevra),
                .repository = source->repository,
                .checksum_type = arena_strdup(arena, locked->checksum_type),
                .checksum = arena_strdup(arena, locked->checksum),
                .size_bytes = locked->size_bytes,
                .installed_bytes = solvable_lookup_num(pool_id2solvable(packages->pool, id), SOLVABLE_INSTALLSIZE, 0),
        };
        describe_nevra(arena, locked->nevra, locked->name, package);
        package_describe_words(packages, id, package);
        package->location =
            arena_printf(arena, "%s-%s-%s.%s.rpm", package->name, package->version, package->release, package->arch);
        package_describe_as(packages, id, package);
}

static bool has_checksum(const char *path, const struct locked_package *locked) {
        char hex[DIGEST_HEX_SIZE];
        auto_err unreadable = { 0 };
        if (!fs_exists(AT_FDCWD, path))
                return false;
        if (!digest_file(locked->checksum_type, AT_FDCWD, path, hex, &unreadable))
                return false;
        return strcmp(hex, locked->checksum) == 0;
}

// Adds to the pool a package that its repository does not list any more, but that the cache still holds. Its bytes are
// checked before libsolv reads its header; packages_fetch() checks its signature with all others. 0: the cache does not
// have it.
static Id add_from_cache(struct packages *packages, struct source *source, const struct locked_package *locked) {
        auto_free char *name = xasprintf("%s.rpm", locked->checksum);
        auto_free char *path = cache_entry(packages->options.cache, CACHE_PACKAGES, name);
        if (!has_checksum(path, locked))
                return 0;
        Repo *repo = repo_create(packages->pool, source->repository->name);
        repo->appdata = source;
        repo->priority = -source->repository->priority;
        Id id = repo_add_rpm(repo, path, RPM_ADD_FILTERED_FILELIST | RPM_ADD_NO_RPMLIBREQS);
        if (!id || strcmp(pool_solvid2str(packages->pool, id), locked->nevra) != 0) {
                repo_free(repo, 0);
                return 0;
        }
        map_grow(&packages->considered, packages->pool->nsolvables);
        MAPSET(&packages->considered, id);
        packages->prepared = false;
        describe_cached(packages, source, locked, id);
        return id;
}

// What a repository offers instead of a package that is gone, as ", which has only X now"; heap.
static char *describe_newest(struct packages *packages, const struct source *source, const char *name) {
        Pool *pool = packages->pool;
        Id name_id = pool_str2id(pool, name, 0);
        Id best = 0;
        for (Id id = 2; name_id && id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (solvable->name != name_id || pool_source(solvable) != source)
                        continue;
                if (!best || pool_evrcmp(pool, solvable->evr, pool_id2solvable(pool, best)->evr, EVRCMP_COMPARE) > 0)
                        best = id;
        }
        if (!best)
                return xstrdup("");
        return xasprintf(", which has %s now", pool_solvid2str(pool, best));
}

static void add_replaced_problem(struct locked_search *search, const struct wanted_package *wanted) {
        const struct locked_package *locked = wanted->locked;
        Id type = 0;
        Solvable *solvable = pool_id2solvable(search->packages->pool, wanted->replacement);
        const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
        if (!checksum)
                checksum = "none";
        search->replaced = true;
        add_problem(search,
                    "%s of repository %s is another file now: it has %llu bytes and checksum %s, the lock "
                    "says %llu and %s",
                    locked->nevra, locked->repository,
                    (unsigned long long)solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0), checksum,
                    (unsigned long long)locked->size_bytes, locked->checksum);
}

// A package that metadata does not have.
static void find_in_cache(struct locked_search *search, struct wanted_package *wanted) {
        const struct locked_package *locked = wanted->locked;
        struct source *source = source_named(search->packages, locked->repository);
        if (!source) {
                add_problem(search, "%s is locked to repository %s, which release %s does not have", locked->nevra,
                            locked->repository, search->packages->release->name);
                return;
        }
        if (wanted->replacement) {
                add_replaced_problem(search, wanted);
                return;
        }
        wanted->found = add_from_cache(search->packages, source, locked);
        if (wanted->found)
                return;
        auto_free char *now = describe_newest(search->packages, source, locked->name);
        add_problem(search, "%s is neither in the cache nor in repository %s any more%s", locked->nevra,
                    locked->repository, now);
}

static bool fail_for_problems(struct locked_search *search, struct err *err) {
        enum err_kind kind = ERR_LOCK_FILE;
        if (search->replaced)
                kind = ERR_CHECKSUM;
        if (search->problem_count > PROBLEMS_MAX)
                buf_printf(&search->problems, "\n  and %zu more", search->problem_count - PROBLEMS_MAX);
        return fail(err, kind, 0, "the repositories do not have what is locked:%s", buf_text(&search->problems));
}

static bool describe_found(struct locked_search *search, const struct package **ret, struct err *err) {
        for (size_t i = 0; i < search->count; i++) {
                const struct wanted_package *wanted = &search->wanted[i];
                struct package *package = NULL;
                if (wanted->found && !package_describe(search->packages, wanted->found, &package, err))
                        return false;
                ret[wanted->index] = package;
        }
        return true;
}

static bool find_all(struct locked_search *search, bool strict, const struct package **ret, struct err *err) {
        search_metadata(search);
        for (size_t i = 0; i < search->count; i++)
                if (!search->wanted[i].found)
                        find_in_cache(search, &search->wanted[i]);
        if (strict && search->problem_count > 0)
                return fail_for_problems(search, err);
        return describe_found(search, ret, err);
}

bool packages_find_locked(struct packages *packages, const struct locked_package *locked, size_t count, bool strict,
                          const struct package **ret, struct err *err) {
        assert(count == 0 || locked);
        struct locked_search search = { .packages = packages, .count = count };
        search.wanted = xcalloc(count + 1, sizeof *search.wanted);
        packages_limit(packages, LIMIT_NONE, NULL, 0);
        for (size_t i = 0; i < count; i++)
                search.wanted[i] = (struct wanted_package){ .locked = &locked[i], .index = i };
        qsort(search.wanted, count, sizeof *search.wanted, compare_wanted);
        bool ok = find_all(&search, strict, ret, err);
        buf_release(&search.problems);
        free(search.wanted);
        return ok;
}
