// SPDX-License-Identifier: MIT
#include "packages/solve/obsoleted.h"

#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/packages.h"
#include "packages/solve/exclude_reason.h"
#include "packages/solve/package_spec.h"

// libsolv's headers need pool.h first
#include <solv/evr.h>

// Whether a solver that may choose would take `better` and never `worse`, whatever else is in the answer.
static bool is_preferred(Pool *pool, Id better, Id worse) {
        const Solvable *a = pool_id2solvable(pool, better), *b = pool_id2solvable(pool, worse);
        if (a->repo->priority != b->repo->priority)
                return a->repo->priority > b->repo->priority;
        return a->name == b->name && pool_evrcmp(pool, a->evr, b->evr, EVRCMP_COMPARE) > 0;
}

static bool is_newest_of(Pool *pool, Id id, const Queue *candidates) {
        for (int i = 0; i < candidates->count; i++)
                if (is_preferred(pool, candidates->elements[i], id))
                        return false;
        return true;
}

void obsoleted_keep_newest(Pool *pool, Queue *candidates) {
        Queue all;
        queue_init_clone(&all, candidates);
        queue_empty(candidates);
        for (int i = 0; i < all.count; i++)
                if (is_newest_of(pool, all.elements[i], &all))
                        queue_push(candidates, all.elements[i]);
        queue_free(&all);
}

static Id obsoletes_of(Pool *pool, const Solvable *by, const Solvable *solvable) {
        for (const Id *next = by->repo->idarraydata + by->obsoletes; *next; next++)
                if (pool_match_nevr(pool, (Solvable *)solvable, *next))
                        return *next;
        return 0;
}

Id obsoleted_all_by(Pool *pool, const Solvable *solvable, const Queue *candidates) {
        Id obsoletes = 0;
        if (!solvable->repo || !solvable->obsoletes)
                return 0;
        for (int i = 0; i < candidates->count; i++) {
                obsoletes = obsoletes_of(pool, solvable, pool_id2solvable(pool, candidates->elements[i]));
                if (!obsoletes)
                        return 0;
        }
        return obsoletes;
}

static bool has_name(Pool *pool, const Queue *ids, Id name) {
        for (int i = 0; i < ids->count; i++)
                if (pool_id2solvable(pool, ids->elements[i])->name == name)
                        return true;
        return false;
}

static void warn_of(struct packages *packages, const char *request, const char *name, Id by, Id obsoletes) {
        const struct packages_options *options = &packages->options;
        auto_free char *place = NULL;
        auto_free char *successor = package_full_name(packages, by);
        auto_buf text = { 0 };
        if (options->place_of)
                place = options->place_of(options->place_context, request);
        if (place)
                buf_printf(&text, "%s: ", place);
        buf_printf(&text, "`%s` was asked for, and is replaced by %s, which obsoletes `%s`\n", name, successor,
                   pool_dep2str(packages->pool, obsoletes));
        buf_printf(&text, "ask for `%s` instead, or keep it out with `excludes`",
                   pool_id2str(packages->pool, pool_id2solvable(packages->pool, by)->name));
        warning("%s", buf_text(&text));
}

// Looks at the candidates of one name.
static void look_at_name(struct packages *packages, const char *request, const Queue *candidates, const Queue *ids) {
        Pool *pool = packages->pool;
        Id name = pool_id2solvable(pool, candidates->elements[0])->name;
        if (has_name(pool, ids, name))
                return;
        for (int i = 0; i < ids->count; i++) {
                Id obsoletes = obsoleted_all_by(pool, pool_id2solvable(pool, ids->elements[i]), candidates);
                int told = packages->obsoleted_told.count;
                if (!obsoletes)
                        continue;
                queue_pushunique(&packages->obsoleted_told, name);
                if (packages->obsoleted_told.count > told)
                        warn_of(packages, request, pool_id2str(pool, name), ids->elements[i], obsoletes);
                return;
        }
}

static void look_at_request(struct packages *packages, const char *request, const Queue *ids) {
        Queue named;
        Queue same;
        queue_init(&named);
        queue_init(&same);
        (void)package_spec_find(packages, request, true, &named);
        obsoleted_keep_newest(packages->pool, &named);
        while (named.count > 0) {
                Id name = pool_id2solvable(packages->pool, named.elements[0])->name;
                int left = 0;
                queue_empty(&same);
                for (int i = 0; i < named.count; i++) {
                        if (pool_id2solvable(packages->pool, named.elements[i])->name == name)
                                queue_push(&same, named.elements[i]);
                        else
                                named.elements[left++] = named.elements[i];
                }
                queue_truncate(&named, left);
                look_at_name(packages, request, &same, ids);
        }
        queue_free(&named);
        queue_free(&same);
}

void obsoleted_warn(struct packages *packages, const char *const *requests, size_t count, const Queue *ids) {
        assert(packages->pool);
        if (packages->options.locked)
                return;
        for (size_t i = 0; i < count; i++)
                if (requests[i][0] != '@' && requests[i][0] != '/')
                        look_at_request(packages, requests[i], ids);
}
