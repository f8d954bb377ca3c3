// SPDX-License-Identifier: MIT
// Why a package that is known may not be installed.
#include "packages/solve/exclude_reason.h"

#include <solv/poolarch.h>
#include <solv/repo.h>
#include <solv/solver.h>
#include <string.h>

#include "base/mem.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/pool.h"
#include "profile/profile.h"

// The pattern that names a package; NULL if none does.
static const char *pattern_of(const struct packages *packages, const struct strings *patterns, Id id) {
        const char *found = NULL;
        Queue named;
        queue_init(&named);
        for (size_t i = 0; !found && i < patterns->count; i++) {
                (void)forms_find(packages, patterns->items[i], false, &named);
                for (int k = 0; !found && k < named.count; k++)
                        if (named.elements[k] == id)
                                found = patterns->items[i];
        }
        queue_free(&named);
        return found;
}

char *obstacle_full_name(const struct packages *packages, Id id) {
        const struct source *source = pool_source(pool_id2solvable(packages->pool, id));
        const char *name = pool_solvid2str(packages->pool, id);
        return source ? xasprintf("%s of %s", name, source->repository->name) : xstrdup(name);
}

static char *explain_exclusion(const struct packages *packages, Id id, const char *name) {
        const struct repository *repository = pool_source(pool_id2solvable(packages->pool, id))->repository;
        const char *pattern = pattern_of(packages, &packages->release->excludes, id);
        if (pattern)
                return xasprintf("the release's `excludes` leave out %s, by `%s`", name, pattern);
        pattern = pattern_of(packages, &repository->excludes, id);
        if (pattern)
                return xasprintf("the repository's `excludes` leave out %s, by `%s`", name, pattern);
        return xasprintf("the repository's `includes` leave out %s: none of them names it", name);
}

char *obstacle_explain(const struct packages *packages, Id id) {
        if (id <= 0 || id >= packages->pool->nsolvables || !pool_source(pool_id2solvable(packages->pool, id)))
                return NULL;
        Solvable *solvable = pool_id2solvable(packages->pool, id);
        auto_free char *name = obstacle_full_name(packages, id);
        if (!MAPTST(&packages->considered, id))
                return explain_exclusion(packages, id, name);
        if (packages->limit != LIMIT_NONE && !MAPTST(&packages->limited, id))
                return xasprintf("the lock does not have %s", name);
        if (!pool_arch2score(packages->pool, solvable->arch))
                return xasprintf("%s is for another architecture than the release's %s", name, packages->release->arch);
        return NULL;
}
