// SPDX-License-Identifier: MIT
// Packages that a lock names: found again in metadata or in the cache, and, for solving, the only ones of their name.
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/pins.h"
#include "packages/solve/pool.h"
#include "packages/solve/request.h"
#include "packages/solve/solve.h"

// libsolv's headers need pool.h first
#include <solv/evr.h>
#include <solv/repo_rpmdb.h>
#include <solv/rules.h>
#include <solv/solver.h>

enum { PROBLEMS_MAX = 20 };

// ---- finding ----

// One wanted package, and where it was found.
struct pin {
        const struct locked_package *wanted;
        size_t index; // in the caller's order
        Id found;     // the very package; 0: not in metadata
        Id namesake;  // of that NEVRA in that repository, with another checksum
};

struct search {
        struct packages *packages;
        struct pin *pins; // sorted by NEVRA
        size_t count;
        struct buf problems;
        size_t problem_count;
        bool replaced; // one of the problems is a changed checksum
};

static int by_nevra(const void *left, const void *right) {
        const struct pin *a = left, *b = right;
        return strcmp(a->wanted->nevra, b->wanted->nevra);
}

static int compare_nevra(const void *key, const void *element) {
        return strcmp(key, ((const struct pin *)element)->wanted->nevra);
}

// The very file: its size goes with its checksum.
static bool is_same_file(Solvable *solvable, const struct locked_package *wanted) {
        Id type = 0;
        const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
        uint64_t size = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, wanted->size_bytes);
        return checksum && strcmp(checksum, wanted->checksum) == 0 && size == wanted->size_bytes;
}

static void offer(struct search *search, Id id, const struct source *source) {
        Pool *pool = search->packages->pool;
        const char *nevra = pool_solvid2str(pool, id);
        struct pin *pin = bsearch(nevra, search->pins, search->count, sizeof *search->pins, compare_nevra);
        while (pin && pin > search->pins && strcmp(pin[-1].wanted->nevra, nevra) == 0)
                pin--;
        for (; pin && pin < search->pins + search->count && strcmp(pin->wanted->nevra, nevra) == 0; pin++) {
                if (strcmp(pin->wanted->repository, source->repository->name) != 0)
                        continue;
                if (is_same_file(pool_id2solvable(pool, id), pin->wanted))
                        pin->found = id;
                else
                        pin->namesake = id;
        }
}

static void search_metadata(struct search *search) {
        Pool *pool = search->packages->pool;
        for (Id id = 2; search->count > 0 && id < pool->nsolvables; id++) {
                const struct source *source = pool_source(pool_id2solvable(pool, id));
                if (source)
                        offer(search, id, source);
        }
}

static void __attribute__((format(printf, 2, 3))) complain(struct search *search, const char *format, ...) {
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

// The parts of NAME-[EPOCH:]VERSION-RELEASE.ARCH, as far as they are there.
static void split_nevra(struct arena *arena, const char *nevra, const char *name, struct package *ret) {
        const char *version = nevra + strlen(name) + 1;
        const char *colon = strchr(version, ':');
        ret->epoch = colon ? strtoull(version, NULL, 10) : 0;
        version = colon ? colon + 1 : version;
        const char *dash = strrchr(version, '-');
        const char *dot = strrchr(version, '.');
        dash = dash ? dash : version + strlen(version);
        dot = dot && dot > dash ? dot : dash;
        ret->version = arena_strndup(arena, version, (size_t)(dash - version));
        ret->release = *dash ? arena_strndup(arena, dash + 1, (size_t)(dot - dash - 1)) : "";
        ret->arch = *dot ? arena_strdup(arena, dot + 1) : "";
}

static struct package *describe_revived(struct packages *packages, const struct source *source,
                                        const struct locked_package *wanted, Id id) {
        struct arena *arena = &packages->arena;
        struct package *package = arena_alloc(arena, sizeof *package);
        *package = (struct package){
                .solvable = id,
                .name = arena_strdup(arena, wanted->name),
                .nevra = arena_strdup(arena, wanted->nevra),
                .repository = source->repository,
                .checksum_type = arena_strdup(arena, wanted->checksum_type),
                .checksum = arena_strdup(arena, wanted->checksum),
                .size_bytes = wanted->size_bytes,
                .installed_bytes = solvable_lookup_num(pool_id2solvable(packages->pool, id), SOLVABLE_INSTALLSIZE, 0),
        };
        split_nevra(arena, wanted->nevra, wanted->name, package);
        package->location =
            arena_printf(arena, "%s-%s-%s.%s.rpm", package->name, package->version, package->release, package->arch);
        return package;
}

// A package that its repository does not list any more, but that the cache still holds. Its bytes are checked before
// libsolv reads its header; the signature is checked with everybody else's.
static Id revive(struct packages *packages, struct source *source, const struct locked_package *wanted) {
        auto_free char *name = xasprintf("%s.rpm", wanted->checksum);
        auto_free char *path = cache_entry(packages->options.cache, CACHE_PACKAGES, name);
        char hex[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        if (!fs_exists(AT_FDCWD, path) || !digest_file(wanted->checksum_type, AT_FDCWD, path, hex, &ignored) ||
            strcmp(hex, wanted->checksum) != 0)
                return 0;
        Repo *repo = repo_create(packages->pool, source->repository->name);
        repo->appdata = source;
        repo->priority = -source->repository->priority;
        Id id = repo_add_rpm(repo, path, RPM_ADD_FILTERED_FILELIST | RPM_ADD_NO_RPMLIBREQS);
        if (!id || strcmp(pool_solvid2str(packages->pool, id), wanted->nevra) != 0) {
                repo_free(repo, 0);
                return 0;
        }
        map_grow(&packages->considered, packages->pool->nsolvables);
        MAPSET(&packages->considered, id);
        packages->prepared = false;
        *array_append(&packages->revived, &packages->revived_count) =
            (struct revived){ id, describe_revived(packages, source, wanted, id) };
        return id;
}

// What a repository offers instead of a package that is gone, as ", which has only X now"; heap.
static char *instead(struct packages *packages, const struct source *source, const char *name) {
        Pool *pool = packages->pool;
        Id name_id = pool_str2id(pool, name, 0);
        Id best = 0;
        for (Id id = 2; name_id && id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (solvable->name == name_id && pool_source(solvable) == source &&
                    (!best || pool_evrcmp(pool, solvable->evr, pool_id2solvable(pool, best)->evr, EVRCMP_COMPARE) > 0))
                        best = id;
        }
        return best ? xasprintf(", which has %s now", pool_solvid2str(pool, best)) : xstrdup("");
}

static void find_elsewhere(struct search *search, struct pin *pin) {
        const struct locked_package *wanted = pin->wanted;
        struct source *source = source_named(search->packages, wanted->repository);
        if (!source) {
                complain(search, "%s is locked to repository %s, which release %s does not have", wanted->nevra,
                         wanted->repository, search->packages->release->name);
                return;
        }
        if (pin->namesake) {
                Id type = 0;
                Solvable *solvable = pool_id2solvable(search->packages->pool, pin->namesake);
                const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
                search->replaced = true;
                complain(search,
                         "%s of repository %s is another file now: it has %llu bytes and checksum %s, the lock "
                         "says %llu and %s",
                         wanted->nevra, wanted->repository,
                         (unsigned long long)solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0),
                         checksum ? checksum : "none", (unsigned long long)wanted->size_bytes, wanted->checksum);
                return;
        }
        pin->found = revive(search->packages, source, wanted);
        if (pin->found)
                return;
        auto_free char *now = instead(search->packages, source, wanted->name);
        complain(search, "%s is neither in the cache nor in repository %s any more%s", wanted->nevra,
                 wanted->repository, now);
}

static bool report(struct search *search, struct err *err) {
        if (search->problem_count > PROBLEMS_MAX)
                buf_printf(&search->problems, "\n  and %zu more", search->problem_count - PROBLEMS_MAX);
        return fail(err, search->replaced ? ERR_CHECKSUM : ERR_LOCK_FILE, 0,
                    "the repositories do not have what is locked:%s", buf_text(&search->problems));
}

static bool hand_out(struct search *search, struct package *ret, struct err *err) {
        for (size_t i = 0; i < search->count; i++) {
                struct pin *pin = &search->pins[i];
                struct package *package = &ret[pin->index];
                *package = (struct package){ 0 };
                if (pin->found && !package_describe(search->packages, pin->found, package, err))
                        return false;
        }
        return true;
}

bool packages_find(struct packages *packages, const struct locked_package *wanted, size_t count, bool strict,
                   struct package *ret, struct err *err) {
        struct search search = { .packages = packages, .pins = xcalloc(count + 1, sizeof(struct pin)), .count = count };
        packages_limit(packages, LIMIT_NONE, NULL, 0);
        for (size_t i = 0; i < count; i++)
                search.pins[i] = (struct pin){ .wanted = &wanted[i], .index = i };
        qsort(search.pins, count, sizeof *search.pins, by_nevra);
        search_metadata(&search);
        for (size_t i = 0; i < count; i++)
                if (!search.pins[i].found)
                        find_elsewhere(&search, &search.pins[i]);
        bool ok = strict && search.problem_count ? report(&search, err) : hand_out(&search, ret, err);
        buf_release(&search.problems);
        free(search.pins);
        return ok;
}

const struct package *revived_find(const struct packages *packages, Id id) {
        for (size_t i = 0; i < packages->revived_count; i++)
                if (packages->revived[i].id == id)
                        return packages->revived[i].package;
        return NULL;
}

// ---- limits ----

static void clear_limit(struct packages *packages) {
        packages->pool->considered = &packages->considered;
        map_free(&packages->limited);
        map_free(&packages->held);
        packages->limit = LIMIT_NONE;
        packages->released = 0;
}

// Of packages that are not `kept`, all (SET) or those of held names (NAMES) do not exist.
static void apply_limit(struct packages *packages, const Map *kept) {
        Pool *pool = packages->pool;
        for (Id id = 2; id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || MAPTST(kept, id))
                        continue;
                if (packages->limit == LIMIT_SET || MAPTST(&packages->held, solvable->name))
                        MAPCLR(&packages->limited, id);
        }
}

void packages_limit(struct packages *packages, enum limit limit, const struct package *items, size_t count) {
        Pool *pool = packages->pool;
        Map kept;
        clear_limit(packages);
        if (limit == LIMIT_NONE)
                return;
        packages->limit = limit;
        map_init(&kept, pool->nsolvables);
        map_init(&packages->held, pool->ss.nstrings);
        map_init_clone(&packages->limited, &packages->considered);
        for (size_t i = 0; i < count; i++) {
                if (!items[i].nevra)
                        continue;
                MAPSET(&kept, items[i].solvable);
                MAPSET(&packages->held, pool_id2solvable(pool, items[i].solvable)->name);
        }
        apply_limit(packages, &kept);
        pool->considered = &packages->limited;
        map_free(&kept);
}

size_t packages_released(const struct packages *packages) { return packages->released; }

static bool is_held(const struct packages *packages, Id name) {
        return packages->limit == LIMIT_NAMES && name < packages->held.size << 3 && MAPTST(&packages->held, name);
}

// True if the name was held.
static bool release_name(struct packages *packages, Id name) {
        if (!is_held(packages, name))
                return false;
        Pool *pool = packages->pool;
        MAPCLR(&packages->held, name);
        packages->released++;
        for (Id id = 2; id < pool->nsolvables; id++)
                if (pool_id2solvable(pool, id)->name == name && MAPTST(&packages->considered, id))
                        MAPSET(&packages->limited, id);
        return true;
}

static bool release_solvable(struct packages *packages, Id id) {
        return id > 0 && id < packages->pool->nsolvables &&
               release_name(packages, pool_id2solvable(packages->pool, id)->name);
}

// Only names of which something is really held back: letting go of others would change them for nothing.
static bool holds_back(const struct packages *packages, Id id) {
        return MAPTST(&packages->considered, id) && !MAPTST(&packages->limited, id);
}

static bool release_rule(struct packages *packages, Solver *solver, Id rule) {
        Pool *pool = packages->pool;
        Id source = 0, target = 0, dependency = 0;
        (void)solver_ruleinfo(solver, rule, &source, &target, &dependency);
        bool any = false;
        for (const Id *next = dependency ? pool_whatprovides_ptr(pool, dependency) : NULL; next && *next; next++)
                if (*next != SYSTEMSOLVABLE && holds_back(packages, *next))
                        any |= release_solvable(packages, *next);
        return any | release_solvable(packages, source) | release_solvable(packages, target);
}

static bool release_everything(struct packages *packages) {
        bool any = false;
        for (Id name = 1; name < packages->held.size << 3; name++)
                any |= release_name(packages, name);
        return any;
}

bool limit_release_for_problems(struct packages *packages, Solver *solver) {
        if (packages->limit != LIMIT_NAMES)
                return false;
        bool any = false;
        int problems = (int)solver_problem_count(solver);
        for (Id problem = 1; problem <= problems; problem++) {
                Queue rules;
                queue_init(&rules);
                solver_findallproblemrules(solver, problem, &rules);
                for (int i = 0; i < rules.count; i++)
                        any |= release_rule(packages, solver, rules.elements[i]);
                queue_free(&rules);
        }
        return any || release_everything(packages);
}

bool limit_release_for_request(struct packages *packages, const char *request) {
        Pool *pool = packages->pool;
        if (packages->limit != LIMIT_NAMES)
                return false;
        Queue found;
        bool any = false;
        queue_init(&found);
        pool->considered = &packages->considered;
        (void)request_match(packages, request, true, &found);
        pool->considered = &packages->limited;
        for (int i = 0; i < found.count; i++)
                any |= release_solvable(packages, found.elements[i]);
        queue_free(&found);
        return any;
}

void pins_release(struct packages *packages) {
        map_free(&packages->limited);
        map_free(&packages->held);
        free(packages->revived);
}
