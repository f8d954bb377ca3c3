// SPDX-License-Identifier: MIT
// packages_solve(): requests become jobs, libsolv solves them, its answer becomes a set.
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/file_dependencies.h"
#include "packages/solve/limit.h"
#include "packages/solve/obsoleted.h"
#include "packages/solve/package_describe.h"
#include "packages/solve/pool.h"
#include "packages/solve/problem.h"
#include "packages/solve/replaced.h"
#include "packages/solve/request.h"

// libsolv's headers need pool.h first
#include <solv/solver.h>
#include <solv/transaction.h>

// dnf's settings, so that the same request has the same answer.
static const int solver_flags[] = {
        SOLVER_FLAG_ALLOW_VENDORCHANGE,
        SOLVER_FLAG_BEST_OBEY_POLICY,
        SOLVER_FLAG_YUM_OBSOLETES,
        SOLVER_FLAG_ALLOW_DOWNGRADE,
};

// RELEASED: names that a lock held stood in the way and were released; the same question may now have an answer.
enum outcome { SOLVED, RELEASED, FAILED };

static enum outcome run_solver(struct packages *packages, Queue *jobs, Queue *ret_ids, struct err *err) {
        enum outcome outcome = SOLVED;
        Solver *solver = solver_create(packages->pool);
        for (size_t i = 0; i < lengthof(solver_flags); i++)
                solver_set_flag(solver, solver_flags[i], 1);
        solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !packages->release->install_weak_deps);
        if (solver_solve(solver, jobs) == 0) {
                Transaction *transaction = solver_create_transaction(solver);
                transaction_installedresult(transaction, ret_ids);
                transaction_free(transaction);
        } else if (limit_release_for_problems(packages, solver)) {
                outcome = RELEASED;
        } else {
                outcome = FAILED;
                (void)problem_explain(packages, solver, jobs, err);
        }
        solver_free(solver);
        return outcome;
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

// Whether the chosen packages require a file that primary.xml cannot have.
static bool needs_filelists(struct packages *packages, const Queue *ids) {
        Pool *pool = packages->pool;
        for (int i = 0; i < ids->count; i++) {
                const Solvable *solvable = pool_id2solvable(pool, ids->elements[i]);
                if (!solvable->requires)
                        continue;
                for (const Id *next = solvable->repo->idarraydata + solvable->requires; *next; next++)
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

static enum outcome solve_once(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                               struct err *err) {
        enum outcome outcome;
        Queue jobs;
        queue_init(&jobs);
        queue_empty(ret_ids);
        if (request_jobs(packages, requests, count, &jobs, err))
                outcome = run_solver(packages, &jobs, ret_ids, err);
        else if (err->kind == ERR_PACKAGE && limit_release_for_requests(packages, requests, count))
                outcome = RELEASED;
        else
                outcome = FAILED;
        queue_free(&jobs);
        return outcome;
}

// Ends, because each round releases at least one name.
static bool solve_until_none_is_released(struct packages *packages, const char *const *requests, size_t count,
                                         Queue *ret_ids, struct err *err) {
        enum outcome outcome;
        while ((outcome = solve_once(packages, requests, count, ret_ids, err)) == RELEASED)
                err_release(err);
        return outcome == SOLVED;
}

// File lists are ten times the size of primary.xml. At first every file that only they could have is taken as
// provided. If the answer needs such a file, or there is no answer, they are loaded and the requests are solved again.
// Where a repository has none, files are looked for in primary.xml alone, and none is taken as provided.
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

static bool solve_with_filelists(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                                 struct err *err) {
        if (!get_filelists(packages, err))
                return false;
        file_dependencies_prepare(packages, true);
        packages->prepared = true;
        return solve_until_none_is_released(packages, requests, count, ret_ids, err);
}

// A path that nobody asked for before makes the index of providers incomplete.
static void want_paths(struct packages *packages, const char *const *requests, size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (requests[i][0] != '/')
                        continue;
                int before = packages->wanted_paths.count;
                queue_pushunique(&packages->wanted_paths, pool_str2id(packages->pool, requests[i], 1));
                if (packages->wanted_paths.count > before)
                        packages->prepared = false;
        }
}

static bool solve_ids(struct packages *packages, const char *const *requests, size_t count, Queue *ret_ids,
                      struct err *err) {
        bool final = packages->filelists_loaded || packages->filelists_refused;
        want_paths(packages, requests, count);
        if (!packages->prepared)
                file_dependencies_prepare(packages, final);
        packages->prepared = true;
        if (!final && wants_unresolved_path(packages))
                return solve_with_filelists(packages, requests, count, ret_ids, err);
        bool ok = solve_until_none_is_released(packages, requests, count, ret_ids, err);
        if (final || packages->unresolved.count == 0)
                return ok;
        if (ok && !needs_filelists(packages, ret_ids))
                return true;
        if (!ok && err->kind != ERR_SOLVE)
                return false;
        return solve_with_filelists(packages, requests, count, ret_ids, err);
}

static int compare_packages_by_name(const void *left, const void *right) {
        const struct package *a = *(const struct package *const *)left, *b = *(const struct package *const *)right;
        int order = strcmp(a->name, b->name);
        if (order != 0)
                return order;
        return strcmp(a->nevra, b->nevra);
}

static bool describe_all(struct packages *packages, const Queue *ids, struct package_set *ret, struct err *err) {
        struct package_set set = { .items = xcalloc((size_t)ids->count + 1, sizeof *set.items) };
        for (int i = 0; i < ids->count; i++) {
                struct package *package = NULL;
                if (!package_describe(packages, ids->elements[i], &package, err)) {
                        package_set_release(&set);
                        return false;
                }
                set.items[set.count++] = package;
        }
        qsort(set.items, set.count, sizeof *set.items, compare_packages_by_name);
        *ret = set;
        return true;
}

// What is missing may be in a repository that was passed over.
static bool tell_of_absent(const struct packages *packages, struct err *err) {
        for (size_t i = 0; i < packages->source_count; i++) {
                const char *name = packages->sources[i].repository->name;
                bool is_about_packages = err->kind == ERR_PACKAGE || err->kind == ERR_SOLVE;
                if (!packages->sources[i].is_absent || !is_about_packages)
                        continue;
                auto_free char *before = err->hint ? xasprintf("%s\n", err->hint) : xstrdup("");
                (void)hint(err,
                           "%srepository %s was passed over, it may be there: --repo %s=DIRECTORY, or `repo:` in "
                           "kiln.yaml, says where that is",
                           before, name, name);
        }
        return false;
}

bool packages_solve(struct packages *packages, const char *const *requests, size_t request_count,
                    struct package_set *ret, struct err *err) {
        assert(packages->pool);
        Queue ids;
        queue_init(&ids);
        bool ok = solve_ids(packages, requests, request_count, &ids, err) && describe_all(packages, &ids, ret, err);
        if (ok) {
                replaced_warn(packages, &ids);
                obsoleted_warn(packages, requests, request_count, &ids);
        }
        queue_free(&ids);
        return ok || tell_of_absent(packages, err);
}
