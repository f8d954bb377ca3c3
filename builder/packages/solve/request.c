// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/packages.h"
#include "packages/solve/exclude_reason.h"
#include "packages/solve/groups.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/pins.h"
#include "packages/solve/pool.h"
#include "packages/solve/problem.h"
#include "packages/solve/request.h"
#include "packages/solve/suggestions.h"

// libsolv's headers need pool.h first
#include <solv/selection.h>
#include <solv/solver.h>
#include <solv/util.h>

// Requests become jobs "install one of these", as dnf makes them: every package of that name, and those that obsolete
// one of them.
struct requests {
        struct packages *packages;
        Queue *jobs;
        Queue obsoleting;    // packages with Obsoletes, found once
        struct buf problems; // one line for each request that nothing answers
        struct buf hints;
};

// SETARCH: an architecture that is asked for is no inferior one.
static void push_one_of(struct requests *requests, const Queue *candidates) {
        enum { INSTALL = SOLVER_INSTALL | SOLVER_SETARCH | SOLVER_SETEVR };
        Pool *pool = requests->packages->pool;
        if (candidates->count == 1)
                queue_push2(requests->jobs, INSTALL | SOLVER_SOLVABLE, candidates->elements[0]);
        else if (candidates->count > 1)
                queue_push2(requests->jobs, INSTALL | SOLVER_SOLVABLE_ONE_OF,
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

// Whatever provides what a text says: "perl(Foo)", "java >= 1:1.8.0", "font(:lang=de)", which is no relation, or a
// glob.
static void find_providers(Pool *pool, const char *request, Queue *ret) {
        enum { FORMS = SELECTION_PROVIDES | SELECTION_GLOB | SELECTION_REL };
        Id whole = pool_str2id(pool, request, 0);
        Id provider;
        Id offset;
        FOR_PROVIDES(provider, offset, whole)
        queue_push(ret, provider);
        Queue selection;
        queue_init(&selection);
        if (ret->count == 0 && selection_make(pool, &selection, request, FORMS))
                selection_solvables(pool, &selection, ret);
        queue_free(&selection);
}

enum form request_match(const struct packages *packages, const char *request, bool installable, Queue *ret) {
        enum form form = forms_find(packages, request, installable, ret);
        if (form != FORM_NONE)
                return form;
        find_providers(packages->pool, request, ret);
        if (installable)
                keep_installable(packages->pool, ret);
        return FORM_NONE;
}

// The builds that there are of what a request names in another version: "mesos-0.26" where there is mesos-0.25.
static void add_other_versions(struct requests *requests, const char *request) {
        enum { SHOWN = 3 };
        auto_free char *name = xstrndup(request, strcspn(request, " <>="));
        Queue named;
        queue_init(&named);
        for (char *dash; (void)forms_find(requests->packages, name, true, &named), named.count == 0;) {
                dash = strrchr(name, '-');
                if (!dash || dash == name)
                        break;
                *dash = '\0';
        }
        if (named.count == 0 && strpbrk(request, "<>="))
                find_providers(requests->packages->pool, name, &named);
        for (int i = 0; !text_is_glob(request) && i < named.count && i < SHOWN; i++) {
                auto_free char *full = obstacle_full_name(requests->packages, named.elements[i]);
                buf_printf(&requests->problems, "%s%s", i ? ", " : "; there is ", full);
        }
        queue_free(&named);
}

// What is there of that name, and why it may not be taken.
static bool add_obstacle(struct requests *requests, const char *request) {
        Queue named;
        auto_free char *why = NULL;
        queue_init(&named);
        (void)request_match(requests->packages, request, false, &named);
        for (int i = 0; !why && i < named.count; i++)
                why = obstacle_explain(requests->packages, named.elements[i]);
        queue_free(&named);
        if (!why)
                return false;
        complain(requests, request, "nothing can be installed for", NULL);
        buf_printf(&requests->problems, ": %s", why);
        return true;
}

static void unanswered(struct requests *requests, const char *request) {
        if (limit_release_for_request(requests->packages, request)) {
                complain(requests, request, "the lock holds back", NULL); // not for long: the caller asks again
        } else if (requests->packages->limit == LIMIT_SET) {
                complain(requests, request, "the lock has no package for", NULL);
        } else if (!add_obstacle(requests, request)) {
                auto_free char *near = nearest_names(requests->packages->pool, request);
                complain(requests, request, "no repository has the package", near);
                add_other_versions(requests, request);
        }
}

static void add_path(struct requests *requests, const char *path) {
        Pool *pool = requests->packages->pool;
        Queue candidates;
        queue_init(&candidates);
        for (const Id *next = pool_whatprovides_ptr(pool, pool_str2id(pool, path, 1)); *next; next++)
                queue_push(&candidates, *next);
        keep_installable(pool, &candidates);
        push_one_of(requests, &candidates);
        if (candidates.count == 0) {
                auto_free char *doubt = paths_doubt(requests->packages, path);
                complain(requests, path, "no repository has a package with the file", NULL);
                buf_append_text(&requests->problems, doubt ? doubt : "");
        }
        queue_free(&candidates);
}

// How dnf splits what a request names into installs, each of one package: an architecture that is a glob asks for every
// name and architecture, any other glob for every name.
struct split {
        const Pool *pool;
        bool by_name, by_arch;
};

static int compare_parts(const struct split *split, Id left, Id right) {
        const Solvable *a = pool_id2solvable(split->pool, left), *b = pool_id2solvable(split->pool, right);
        if (split->by_name && a->name != b->name)
                return a->name < b->name ? -1 : 1;
        if (split->by_arch && a->arch != b->arch)
                return a->arch < b->arch ? -1 : 1;
        return 0;
}

static int compare_named(const void *left, const void *right, void *context) {
        Id a = *(const Id *)left, b = *(const Id *)right;
        int order = compare_parts(context, a, b);
        return order ? order : (a > b) - (a < b);
}

static void push_each(struct requests *requests, Queue *named, struct split split, bool with_obsoleters) {
        Queue part;
        queue_init(&part);
        solv_sort(named->elements, (size_t)named->count, sizeof(Id), compare_named, &split);
        for (int i = 0; i < named->count; i++) {
                queue_push(&part, named->elements[i]);
                if (i + 1 < named->count && compare_parts(&split, named->elements[i], named->elements[i + 1]) == 0)
                        continue;
                if (with_obsoleters)
                        add_obsoleters(requests, &part);
                push_one_of(requests, &part);
                queue_empty(&part);
        }
        queue_free(&part);
}

static void add_selected(struct requests *requests, const char *request) {
        Queue named;
        queue_init(&named);
        enum form form = request_match(requests->packages, request, true, &named);
        const char *dot = strrchr(request, '.');
        bool has_arch = form == FORM_NEVRA || form == FORM_NAME_ARCH;
        struct split split = { requests->packages->pool, text_is_glob(request), has_arch && text_is_glob(dot) };
        push_each(requests, &named, split, form == FORM_NAME || split.by_arch);
        if (named.count == 0)
                unanswered(requests, request);
        queue_free(&named);
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

// What may be installed in several versions, as dnf's `installonlypkgs` has it.
static void allow_several_versions(struct requests *requests) {
        static const char *const provides[] = { "kernel",
                                                "kernel-PAE",
                                                "installonlypkg(kernel)",
                                                "installonlypkg(kernel-module)",
                                                "installonlypkg(vm)",
                                                "multiversion(kernel)" };
        for (size_t i = 0; i < lengthof(provides); i++) {
                Id id = pool_str2id(requests->packages->pool, provides[i], 1);
                queue_push2(requests->jobs, SOLVER_MULTIVERSION | SOLVER_SOLVABLE_PROVIDES, id);
        }
}

bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs, struct err *err) {
        struct requests all = { .packages = packages, .jobs = jobs };
        find_obsoleting(&all);
        allow_several_versions(&all);
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
