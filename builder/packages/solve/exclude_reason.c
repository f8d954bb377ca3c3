// SPDX-License-Identifier: MIT
#include "packages/solve/exclude_reason.h"

#include <solv/poolarch.h>
#include <solv/repo.h>
#include <solv/solver.h>
#include <string.h>

#include "base/mem.h"
#include "packages/metadata/source.h"
#include "packages/packages.h"
#include "packages/solve/module_streams.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/pool.h"
#include "profile/profile.h"

static bool spec_names(const struct packages *packages, const char *spec, Id id) {
        bool found = false;
        Queue named;
        queue_init(&named);
        (void)package_spec_find(packages, spec, false, &named);
        for (int i = 0; i < named.count; i++)
                found |= named.elements[i] == id;
        queue_free(&named);
        return found;
}

// The pattern that names a package; NULL if none does.
static const char *pattern_of(const struct packages *packages, const struct strings *patterns, Id id) {
        for (size_t i = 0; i < patterns->count; i++)
                if (spec_names(packages, patterns->items[i], id))
                        return patterns->items[i];
        return NULL;
}

char *package_full_name(const struct packages *packages, Id id) {
        const struct source *source = pool_source(pool_id2solvable(packages->pool, id));
        const char *name = pool_solvid2str(packages->pool, id);
        if (!source)
                return xstrdup(name);
        return xasprintf("%s of %s", name, source->repository->name);
}

static char *explain_exclusion(const struct packages *packages, Id id, const char *name) {
        const struct repository *repository = pool_source(pool_id2solvable(packages->pool, id))->repository;
        auto_free char *modular = modules_reason(packages, id);
        if (modular)
                return xasprintf("modules leave out %s: %s", name, modular);
        const char *pattern = pattern_of(packages, &packages->release->excludes, id);
        if (pattern)
                return xasprintf("the release's `excludes` leave out %s, by `%s`", name, pattern);
        pattern = pattern_of(packages, &repository->excludes, id);
        if (pattern)
                return xasprintf("the repository's `excludes` leave out %s, by `%s`", name, pattern);
        return xasprintf("the repository's `includes` leave out %s: none of them names it", name);
}

char *exclude_reason(const struct packages *packages, Id id) {
        if (id <= 0 || id >= packages->pool->nsolvables || !pool_source(pool_id2solvable(packages->pool, id)))
                return NULL;
        Solvable *solvable = pool_id2solvable(packages->pool, id);
        auto_free char *name = package_full_name(packages, id);
        if (!MAPTST(&packages->considered, id))
                return explain_exclusion(packages, id, name);
        if (packages->limit != LIMIT_NONE && !MAPTST(&packages->limited, id))
                return xasprintf("the lock does not have %s", name);
        if (!pool_arch2score(packages->pool, solvable->arch))
                return xasprintf("%s is for another architecture than the release's %s", name, packages->release->arch);
        return NULL;
}
