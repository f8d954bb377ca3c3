#include <string.h>

#include "base/mem.h"
#include "packages/internal.h"

// libsolv's headers need pool.h first
#include <solv/selection.h>
#include <solv/solver.h>

// Requests become jobs "install one of these", as dnf makes them: every package of that name, and those that obsolete
// one of them.
struct requests {
        struct packages *packages;
        Queue *jobs;
        Queue obsoleting;    // packages with Obsoletes, found once
        struct buf problems; // one line for each request that nothing answers
        struct buf hints;
};

static void push_one_of(struct requests *requests, const Queue *candidates) {
        Pool *pool = requests->packages->pool;
        if (candidates->count == 1)
                queue_push2(requests->jobs, SOLVER_INSTALL | SOLVER_SOLVABLE, candidates->elements[0]);
        else if (candidates->count > 1)
                queue_push2(requests->jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_ONE_OF,
                            pool_queuetowhatprovides(pool, (Queue *)candidates));
}

static void keep_installable(Pool *pool, Queue *candidates) {
        int kept = 0;
        for (int i = 0; i < candidates->count; i++) {
                Id id = candidates->elements[i];
                if (id != SYSTEMSOLVABLE && pool_installable(pool, pool_id2solvable(pool, id)))
                        candidates->elements[kept++] = id;
        }
        queue_truncate(candidates, kept);
}

static bool obsoletes_one(Pool *pool, const Solvable *solvable, const Queue *candidates, int count) {
        for (const Id *next = solvable->repo->idarraydata + solvable->obsoletes; *next; next++)
                for (int i = 0; i < count; i++)
                        if (pool_match_nevr(pool, pool_id2solvable(pool, candidates->elements[i]), *next))
                                return true;
        return false;
}

static void add_obsoleters(struct requests *requests, Queue *candidates) {
        Pool *pool = requests->packages->pool;
        int count = candidates->count;
        for (int i = 0; i < requests->obsoleting.count; i++) {
                Id id = requests->obsoleting.elements[i];
                if (obsoletes_one(pool, pool_id2solvable(pool, id), candidates, count))
                        queue_pushunique(candidates, id);
        }
}

static void find_obsoleting(struct requests *requests) {
        Pool *pool = requests->packages->pool;
        queue_init(&requests->obsoleting);
        for (Id id = 2; id < pool->nsolvables; id++) {
                Solvable *solvable = pool_id2solvable(pool, id);
                if (solvable->repo && solvable->obsoletes && pool_installable(pool, solvable))
                        queue_push(&requests->obsoleting, id);
        }
}

static void find_named(struct requests *requests, Id name, Queue *candidates) {
        Pool *pool = requests->packages->pool;
        Id provider;
        Id offset;
        FOR_PROVIDES(provider, offset, name)
        if (pool_id2solvable(pool, provider)->name == name)
                queue_push(candidates, provider);
        keep_installable(pool, candidates);
        if (candidates->count > 0)
                add_obsoleters(requests, candidates);
}

static void add_group_member(void *context, const char *package, const char *requires) {
        struct requests *requests = context;
        Pool *pool = requests->packages->pool;
        Id name = pool_str2id(pool, package, 0);
        Queue candidates;
        queue_init(&candidates);
        if (name)
                find_named(requests, name, &candidates);
        if (candidates.count == 0)
                notice("group member `%s` is in no repository and left out", package);
        else if (requires)
                queue_push2(requests->jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_PROVIDES,
                            pool_rel2id(pool, name, pool_str2id(pool, requires, 1), REL_COND, 1));
        else
                push_one_of(requests, &candidates);
        queue_free(&candidates);
}

static void begin_problem(struct requests *requests, const char *request) {
        const struct packages_options *options = &requests->packages->options;
        auto_free char *place = options->place_of ? options->place_of(options->place_context, request) : NULL;
        buf_printf(&requests->problems, "%s%s%s", requests->problems.size ? "\n" : "", place ? place : "",
                   place ? ": " : "");
}

static void complain(struct requests *requests, const char *request, const char *what, char *near) {
        begin_problem(requests, request);
        buf_printf(&requests->problems, "%s `%s`", what, request);
        if (near)
                buf_printf(&requests->hints, "%sdid you mean %s?", requests->hints.size ? "\n" : "", near);
}

static char *nearest_names(Pool *pool, const char *request) {
        auto_free char *name = xstrndup(request, strcspn(request, " <>="));
        struct suggestions *suggestions = suggestions_new(name);
        for (Id id = 2; id < pool->nsolvables; id++) {
                Solvable *solvable = pool_id2solvable(pool, id);
                if (pool_source(solvable) && pool_installable(pool, solvable))
                        suggestions_consider(suggestions, pool_id2str(pool, solvable->name));
        }
        return suggestions_finish(suggestions);
}

static void unanswered(struct requests *requests, const char *request, int flags) {
        Pool *pool = requests->packages->pool;
        Queue left_out;
        if (limit_release_for_request(requests->packages, request, flags)) {
                complain(requests, request, "the lock holds back", NULL); // not for long: the caller asks again
                return;
        }
        queue_init(&left_out);
        bool excluded = flags && selection_make(pool, &left_out, request, flags | SELECTION_WITH_DISABLED);
        queue_empty(&left_out);
        bool foreign = !excluded && flags && selection_make(pool, &left_out, request, flags | SELECTION_WITH_BADARCH);
        queue_free(&left_out);
        bool locked = requests->packages->limit == LIMIT_SET;
        auto_free char *near = excluded || foreign || locked ? NULL : nearest_names(pool, request);
        complain(requests, request,
                 locked     ? "the lock has no package for"
                 : excluded ? "the release's `excludes` or `includes` leave out"
                 : foreign  ? "only for another architecture is there"
                            : "no repository has the package",
                 near);
}

static void add_path(struct requests *requests, const char *path) {
        Pool *pool = requests->packages->pool;
        Queue candidates;
        queue_init(&candidates);
        for (const Id *next = pool_whatprovides_ptr(pool, pool_str2id(pool, path, 1)); *next; next++)
                queue_push(&candidates, *next);
        keep_installable(pool, &candidates);
        push_one_of(requests, &candidates);
        if (candidates.count == 0)
                complain(requests, path, "no repository has a package with the file", NULL);
        queue_free(&candidates);
}

static void add_selected(struct requests *requests, const char *request) {
        enum { FORMS = SELECTION_CANON | SELECTION_DOTARCH | SELECTION_REL | SELECTION_GLOB };
        Pool *pool = requests->packages->pool;
        Queue selection;
        Queue candidates;
        queue_init(&selection);
        queue_init(&candidates);
        int made = selection_make(pool, &selection, request, SELECTION_NAME | FORMS);
        if (!made)
                made = selection_make(pool, &selection, request, SELECTION_PROVIDES | FORMS);
        bool just_name = made && (made & SELECTION_NAME) && !(made & (FORMS & ~SELECTION_GLOB));
        int found = 0;
        for (int i = 0; i + 1 < selection.count; i += 2) {
                Queue one;
                queue_init(&one);
                queue_push2(&one, selection.elements[i], selection.elements[i + 1]);
                queue_empty(&candidates);
                selection_solvables(pool, &one, &candidates);
                keep_installable(pool, &candidates);
                if (just_name && candidates.count > 0)
                        add_obsoleters(requests, &candidates);
                push_one_of(requests, &candidates);
                found += candidates.count;
                queue_free(&one);
        }
        if (found == 0)
                unanswered(requests, request, SELECTION_NAME | FORMS);
        queue_free(&selection);
        queue_free(&candidates);
}

// `name` with its "@".
static bool add_group_request(struct requests *requests, const char *name, struct err *err) {
        if (!groups_load(requests->packages, err))
                return false;
        auto_err unknown = { 0 };
        if (groups_members(requests->packages->groups, name + 1, add_group_member, requests, &unknown))
                return true;
        begin_problem(requests, name);
        buf_append_text(&requests->problems, unknown.text);
        if (unknown.hint)
                buf_printf(&requests->hints, "%s%s", requests->hints.size ? "\n" : "", unknown.hint);
        return true;
}

bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs, struct err *err) {
        struct requests all = { .packages = packages, .jobs = jobs };
        find_obsoleting(&all);
        bool ok = true;
        for (size_t i = 0; ok && i < count; i++) {
                if (requests[i][0] == '@')
                        ok = add_group_request(&all, requests[i], err);
                else if (requests[i][0] == '/')
                        add_path(&all, requests[i]);
                else
                        add_selected(&all, requests[i]);
        }
        if (ok && all.problems.size > 0) {
                ok = fail(err, ERR_PACKAGE, 0, "%s", buf_text(&all.problems));
                if (all.hints.size > 0)
                        hint(err, "%s", buf_text(&all.hints));
        }
        queue_free(&all.obsoleting);
        buf_release(&all.problems);
        buf_release(&all.hints);
        return ok;
}
