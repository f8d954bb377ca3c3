// SPDX-License-Identifier: MIT
#include "packages/solve/replaced.h"

#include <assert.h>

#include "base/buf.h"
#include "base/progress.h"
#include "packages/metadata/source.h"
#include "packages/solve/pool.h"
#include "profile/profile.h"

enum { REPLACED_SHOWN = 5 };

// The signed repository that has a package of the same name, and may give it; NULL: none.
static const struct repository *find_signed(const struct packages *packages, const Solvable *solvable) {
        Pool *pool = packages->pool;
        Id id;
        Id providers;
        FOR_PROVIDES(id, providers, solvable->name) {
                const Solvable *other = pool_id2solvable(pool, id);
                const struct source *source = pool_source(other);
                bool is_same_name = source && other->name == solvable->name && MAPTST(&packages->considered, id);
                if (is_same_name && source->repository->trust == TRUST_SIGNATURE)
                        return source->repository;
        }
        return NULL;
}

static void warn_of_source(const struct packages *packages, struct source *source, const Queue *ids) {
        auto_buf names = { 0 };
        size_t count = 0;
        for (int i = 0; i < ids->count; i++) {
                const Solvable *solvable = pool_id2solvable(packages->pool, ids->elements[i]);
                if (pool_source(solvable) != source)
                        continue;
                const struct repository *signer = find_signed(packages, solvable);
                if (signer && count++ < REPLACED_SHOWN)
                        buf_printf(&names, "\n  %s (%s has it signed)",
                                   pool_solvable2str(packages->pool, (Solvable *)solvable), signer->name);
        }
        if (count == 0)
                return;
        if (count > REPLACED_SHOWN)
                buf_printf(&names, "\n  and %zu more", count - REPLACED_SHOWN);
        source->replaced_told = true;
        const char *name = source->repository->name;
        warning("repository %s has no signatures (`trust: digest`), and replaces packages of signed repositories:%s\n"
                "`excludes` of %s keeps them out; `excludes` of the signed repository says that it is meant",
                name, buf_text(&names), name);
}

void replaced_warn(struct packages *packages, const Queue *ids) {
        assert(packages->pool);
        if (packages->options.locked)
                return;
        for (size_t i = 0; i < packages->source_count; i++) {
                struct source *source = &packages->sources[i];
                if (source->repository->trust == TRUST_DIGEST && !source->replaced_told)
                        warn_of_source(packages, source, ids);
        }
}
