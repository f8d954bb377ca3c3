// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/file_dependencies.h"
#include "packages/solve/pins.h"
#include "packages/solve/pool.h"
#include "packages/solve/problem.h"
#include "packages/solve/request.h"
#include "packages/solve/solve.h"

// libsolv's headers need pool.h first
#include <solv/chksum.h>
#include <solv/solver.h>
#include <solv/transaction.h>

// dnf's settings, so that the same request has the same answer.
static const int solver_flags[] = {
        SOLVER_FLAG_ALLOW_VENDORCHANGE, SOLVER_FLAG_BEST_OBEY_POLICY,   SOLVER_FLAG_YUM_OBSOLETES,
        SOLVER_FLAG_ALLOW_DOWNGRADE,    SOLVER_FLAG_IGNORE_RECOMMENDED,
};

static bool solve_once(struct packages *packages, Queue *jobs, Queue *ret_ids, struct err *err) {
        Solver *solver = solver_create(packages->pool);
        for (size_t i = 0; i < lengthof(solver_flags); i++)
                solver_set_flag(solver, solver_flags[i], 1);
        bool ok = solver_solve(solver, jobs) == 0;
        if (!ok && !limit_release_for_problems(packages, solver))
                (void)problem_explain(packages, solver, err);
        if (ok) {
                Transaction *transaction = solver_create_transaction(solver);
                transaction_installedresult(transaction, ret_ids);
                transaction_free(transaction);
        }
        solver_free(solver);
        return ok;
}

static bool depends_on(Pool *pool, Id dependency, const Queue *paths) {
        while (ISRELDEP(dependency)) {
                const Reldep *rel = GETRELDEP(pool, dependency);
                if (depends_on(pool, rel->evr, paths))
                        return true;
                dependency = rel->name;
        }
        for (int i = 0; i < paths->count; i++)
                if (paths->elements[i] == dependency)
                        return true;
        return false;
}

// Whether the chosen packages require a file that primary.xml is silent about.
static bool needs_filelists(struct packages *packages, const Queue *ids) {
        Pool *pool = packages->pool;
        for (int i = 0; i < ids->count; i++) {
                const Solvable *solvable = pool_id2solvable(pool, ids->elements[i]);
                const Id *next = solvable->requires ? solvable->repo->idarraydata + solvable->requires : NULL;
                for (; next && *next; next++)
                        if (*next != SOLVABLE_PREREQMARKER && depends_on(pool, *next, &packages->unresolved))
                                return true;
        }
        return false;
}

static bool wants_unresolved_path(const struct packages *packages) {
        for (int i = 0; i < packages->wanted_paths.count; i++)
                for (int k = 0; k < packages->unresolved.count; k++)
                        if (packages->wanted_paths.elements[i] == packages->unresolved.elements[k])
                                return true;
        return false;
}

static bool attempt_once(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                         struct err *err) {
        Queue jobs;
        queue_init(&jobs);
        queue_empty(ret_ids);
        bool ok = request_jobs(packages, requests, count, &jobs, err) && solve_once(packages, &jobs, ret_ids, err);
        queue_free(&jobs);
        return ok;
}

// A failure that let go of a held name is asked again without it.
static bool attempt(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                    struct err *err) {
        for (;;) {
                size_t released = packages->released;
                if (attempt_once(packages, requests, count, ret_ids, err))
                        return true;
                if (packages->released == released)
                        return false;
                err_release(err);
        }
}

// File lists are ten times the size of primary.xml. The first attempt takes every file that only they could confirm for
// granted; if its answer rests on one, or there is none, they are loaded and the question is asked again. A repository
// without them is solved from primary.xml alone, strictly.
static bool get_filelists(struct packages *packages, struct err *err) {
        auto_err missing = { 0 };
        if (pool_load_filelists(packages, &missing))
                return true;
        if (missing.kind != ERR_NETWORK)
                return fail(err, missing.kind, 0, "%s", missing.text);
        warning("file lists are not available, so files are looked for in primary metadata alone: %s", missing.text);
        packages->filelists_refused = true;
        return true;
}

static bool attempt_with_filelists(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                                   struct err *err) {
        if (!get_filelists(packages, err))
                return false;
        paths_prepare(packages, true);
        packages->prepared = true;
        return attempt(packages, requests, count, ret_ids, err);
}

static void want_paths(struct packages *packages, const char *const *requests, size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (requests[i][0] != '/')
                        continue;
                int before = packages->wanted_paths.count;
                queue_pushunique(&packages->wanted_paths, pool_str2id(packages->pool, requests[i], 1));
                packages->prepared &= packages->wanted_paths.count == before;
        }
}

static bool solve_ids(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                      struct err *err) {
        bool final = packages->filelists_loaded || packages->filelists_refused;
        want_paths(packages, requests, count);
        if (!packages->prepared)
                paths_prepare(packages, final);
        packages->prepared = true;
        if (!final && wants_unresolved_path(packages))
                return attempt_with_filelists(packages, requests, count, ret_ids, err);
        bool ok = attempt(packages, requests, count, ret_ids, err);
        if (final || packages->unresolved.count == 0)
                return ok;
        if (ok && !needs_filelists(packages, ret_ids))
                return true;
        if (!ok && err->kind != ERR_SOLVE)
                return false;
        return attempt_with_filelists(packages, requests, count, ret_ids, err);
}

static void split_evr(struct arena *arena, const char *evr, struct package *ret) {
        const char *colon = strchr(evr, ':');
        const char *version = colon ? colon + 1 : evr;
        const char *dash = strrchr(version, '-');
        ret->epoch = colon ? strtoull(evr, NULL, 10) : 0;
        ret->version = dash ? arena_strndup(arena, version, (size_t)(dash - version)) : arena_strdup(arena, version);
        ret->release = arena_strdup(arena, dash ? dash + 1 : "");
        ret->nevra = version;
}

bool package_describe(struct packages *packages, Id id, struct package *ret, struct err *err) {
        const struct package *revived = revived_find(packages, id);
        if (revived) {
                *ret = *revived;
                return true;
        }
        Pool *pool = packages->pool;
        struct arena *arena = &packages->arena;
        Solvable *solvable = pool_id2solvable(pool, id);
        Id type = 0;
        const char *location = solvable_lookup_location(solvable, NULL);
        const char *base = solvable_lookup_str(solvable, SOLVABLE_MEDIABASE);
        const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
        *ret = (struct package){ .solvable = id,
                                 .name = arena_strdup(arena, pool_id2str(pool, solvable->name)),
                                 .arch = arena_strdup(arena, pool_id2str(pool, solvable->arch)),
                                 .repository = pool_source(solvable)->repository,
                                 .size_bytes = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0),
                                 .installed_bytes = solvable_lookup_num(solvable, SOLVABLE_INSTALLSIZE, 0) };
        split_evr(arena, pool_id2str(pool, solvable->evr), ret);
        char epoch[24] = "";
        if (ret->epoch)
                snprintf(epoch, sizeof epoch, "%llu:", (unsigned long long)ret->epoch);
        ret->nevra = arena_printf(arena, "%s-%s%s.%s", ret->name, epoch, ret->nevra, ret->arch);
        if (!location || !url_location_is_safe(location) || (base && !url_location_is_safe(base)))
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s has no location, or one that leads outside",
                            ret->repository->name, ret->nevra);
        if (strchr(ret->nevra, '/')) // it becomes a file's name
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s is not a package's name", ret->repository->name,
                            ret->nevra);
        if (!checksum || type == REPOKEY_TYPE_MD5)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s has no checksum worth the name",
                            ret->repository->name, ret->nevra);
        auto_free char *whole = base ? url_join(base, location) : xstrdup(location);
        ret->location = arena_strdup(arena, whole);
        ret->checksum = arena_strdup(arena, checksum);
        ret->checksum_type = arena_strdup(arena, solv_chksum_type2str(type));
        return true;
}

static int by_name(const void *left, const void *right) {
        const struct package *a = left;
        const struct package *b = right;
        int order = strcmp(a->name, b->name);
        return order ? order : strcmp(a->nevra, b->nevra);
}

bool packages_solve(struct packages *packages, const char *const *requests, size_t request_count,
                    struct package_set *ret, struct err *err) {
        Queue ids;
        queue_init(&ids);
        bool ok = solve_ids(packages, requests, request_count, &ids, err);
        struct package_set set = { arena_alloc(&packages->arena, ((size_t)ids.count + 1) * sizeof(struct package)), 0 };
        for (int i = 0; ok && i < ids.count; i++)
                ok = package_describe(packages, ids.elements[i], &set.items[set.count++], err);
        queue_free(&ids);
        if (!ok)
                return false;
        qsort(set.items, set.count, sizeof *set.items, by_name);
        *ret = set;
        return true;
}
