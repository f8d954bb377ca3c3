// SPDX-License-Identifier: MIT
#include "packages/solve/limit.h"

#include <assert.h>
#include <string.h>

#include "packages/packages.h"
#include "packages/solve/package_spec.h"

// libsolv's headers need pool.h first
#include <solv/rules.h>
#include <solv/solver.h>

static void clear_limit(struct packages *packages) {
        packages->pool->considered = &packages->considered;
        map_free(&packages->limited);
        map_free(&packages->held);
        packages->limit = LIMIT_NONE;
        packages->released = 0;
}

// Takes from `limited` what is not `allowed`: all of it (LIMIT_SET), or as far as its name is held (LIMIT_NAMES).
static void apply_limit(struct packages *packages, const Map *allowed) {
        Pool *pool = packages->pool;
        for (Id id = 2; id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || MAPTST(allowed, id))
                        continue;
                if (packages->limit == LIMIT_SET || MAPTST(&packages->held, solvable->name))
                        MAPCLR(&packages->limited, id);
        }
}

void packages_limit(struct packages *packages, enum limit limit, const struct package *const *items, size_t count) {
        Pool *pool = packages->pool;
        Map allowed;
        clear_limit(packages);
        if (limit == LIMIT_NONE)
                return;
        packages->limit = limit;
        map_init(&allowed, pool->nsolvables);
        map_init(&packages->held, pool->ss.nstrings);
        map_init_clone(&packages->limited, &packages->considered);
        for (size_t i = 0; i < count; i++) {
                if (!items[i])
                        continue;
                assert(items[i]->solvable > 0 && items[i]->solvable < pool->nsolvables);
                MAPSET(&allowed, items[i]->solvable);
                MAPSET(&packages->held, pool_id2solvable(pool, items[i]->solvable)->name);
        }
        apply_limit(packages, &allowed);
        pool->considered = &packages->limited;
        map_free(&allowed);
}

size_t packages_released(const struct packages *packages) { return packages->released; }

static bool is_held(const struct packages *packages, Id name) {
        return packages->limit == LIMIT_NAMES && name < packages->held.size << 3 && MAPTST(&packages->held, name);
}

// Every package of the name may be taken again. False: the name was not held.
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

// A package that only the lock keeps from being installed. Names of which nothing is held back are not released: that
// would change them for nothing.
static bool is_held_back(const struct packages *packages, Id id) {
        return MAPTST(&packages->considered, id) && !MAPTST(&packages->limited, id);
}

// The names of packages that would provide a dependency.
static bool release_providers(struct packages *packages, Id dependency) {
        bool any = false;
        if (!dependency)
                return false;
        for (const Id *next = pool_whatprovides_ptr(packages->pool, dependency); *next; next++) {
                if (*next == SYSTEMSOLVABLE || !is_held_back(packages, *next))
                        continue;
                if (release_solvable(packages, *next))
                        any = true;
        }
        return any;
}

static bool release_rule(struct packages *packages, Solver *solver, Id rule) {
        Id source = 0, target = 0, dependency = 0;
        (void)solver_ruleinfo(solver, rule, &source, &target, &dependency);
        bool any = release_providers(packages, dependency);
        if (release_solvable(packages, source))
                any = true;
        if (release_solvable(packages, target))
                any = true;
        return any;
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

// The packages that a request would name if nothing were held.
static bool release_request(struct packages *packages, const char *request) {
        Pool *pool = packages->pool;
        Queue named;
        bool any = false;
        queue_init(&named);
        (void)package_spec_match(packages, request, true, &named);
        bool answered = named.count > 0;
        if (!answered) {
                pool->considered = &packages->considered;
                (void)package_spec_match(packages, request, true, &named);
                pool->considered = &packages->limited;
        }
        for (int i = 0; !answered && i < named.count; i++)
                any |= release_solvable(packages, named.elements[i]);
        queue_free(&named);
        return any;
}

bool limit_release_for_requests(struct packages *packages, const char *const *requests, size_t count) {
        bool any = false;
        if (packages->limit != LIMIT_NAMES)
                return false;
        for (size_t i = 0; i < count; i++) {
                bool is_spec = requests[i][0] != '@' && requests[i][0] != '/';
                if (is_spec)
                        any |= release_request(packages, requests[i]);
        }
        return any;
}
