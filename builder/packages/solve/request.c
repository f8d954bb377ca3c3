// SPDX-License-Identifier: MIT
#include "packages/solve/request.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/packages.h"
#include "packages/solve/exclude_reason.h"
#include "packages/solve/file_dependencies.h"
#include "packages/solve/groups.h"
#include "packages/solve/module_streams.h"
#include "packages/solve/obsoleted.h"
#include "packages/solve/package_spec.h"
#include "packages/solve/suggestions.h"

// libsolv's headers need pool.h first
#include <solv/solver.h>
#include <solv/util.h>

struct requests {
        struct packages *packages;
        Queue *jobs;
        Queue obsoleting;    // packages with Obsoletes, found once
        struct buf problems; // one line for each request that names nothing
        struct buf hints;    // one line each
};

// SETARCH: a package of another architecture than the preferred one may be asked for by name.
static void push_one_of(struct requests *requests, const Queue *candidates) {
        enum { INSTALL = SOLVER_INSTALL | SOLVER_SETARCH | SOLVER_SETEVR };
        Pool *pool = requests->packages->pool;
        if (candidates->count == 1)
                queue_push2(requests->jobs, INSTALL | SOLVER_SOLVABLE, candidates->elements[0]);
        else if (candidates->count > 1)
                queue_push2(requests->jobs, INSTALL | SOLVER_SOLVABLE_ONE_OF,
                            pool_queuetowhatprovides(pool, (Queue *)candidates));
}

// A package that obsoletes what would be installed answers for it. One that obsoletes older versions only does not: it
// may be a part that was taken out of the package, and stand beside it.
static void add_obsoleters(struct requests *requests, Queue *candidates) {
        Pool *pool = requests->packages->pool;
        Queue newest;
        if (candidates->count == 0)
                return;
        queue_init_clone(&newest, candidates);
        obsoleted_keep_newest(pool, &newest);
        for (int i = 0; i < requests->obsoleting.count; i++) {
                Id id = requests->obsoleting.elements[i];
                if (obsoleted_all_by(pool, pool_id2solvable(pool, id), &newest))
                        queue_pushunique(candidates, id);
        }
        queue_free(&newest);
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
        package_spec_keep_installable(pool, candidates);
        add_obsoleters(requests, candidates);
}

static void add_group_member(void *context, const char *package, const char *condition) {
        struct requests *requests = context;
        Pool *pool = requests->packages->pool;
        Id name = pool_str2id(pool, package, 0);
        Queue candidates;
        queue_init(&candidates);
        if (name)
                find_named(requests, name, &candidates);
        if (candidates.count == 0)
                notice("group member `%s` is in no repository and left out", package);
        else if (condition)
                queue_push2(requests->jobs, SOLVER_INSTALL | SOLVER_SOLVABLE_PROVIDES,
                            pool_rel2id(pool, name, pool_str2id(pool, condition, 1), REL_COND, 1));
        else
                push_one_of(requests, &candidates);
        queue_free(&candidates);
}

static void begin_problem(struct requests *requests, const char *request) {
        const struct packages_options *options = &requests->packages->options;
        auto_free char *place = NULL;
        if (options->place_of)
                place = options->place_of(options->place_context, request);
        if (requests->problems.size > 0)
                buf_append_char(&requests->problems, '\n');
        if (place)
                buf_printf(&requests->problems, "%s: ", place);
}

static void add_hint(struct requests *requests, const char *hint_text) {
        if (requests->hints.size > 0)
                buf_append_char(&requests->hints, '\n');
        buf_append_text(&requests->hints, hint_text);
}

static void add_request_problem(struct requests *requests, const char *request, const char *what) {
        begin_problem(requests, request);
        buf_printf(&requests->problems, "%s `%s`", what, request);
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

// The packages of the longest name that `name` begins with, up to a dash: "mesos" for "mesos-0.26". Cuts `name` there.
static void find_shorter_name(const struct packages *packages, char *name, Queue *ret) {
        for (;;) {
                (void)package_spec_find(packages, name, true, ret);
                char *dash = strrchr(name, '-');
                if (ret->count > 0 || !dash || dash == name)
                        return;
                *dash = '\0';
        }
}

// What a request names in another version: "mesos-0.26" where there is mesos-0.25.
static void add_other_versions(struct requests *requests, const char *request) {
        enum { SHOWN = 3 };
        const struct packages *packages = requests->packages;
        if (package_spec_is_glob(request))
                return;
        Queue named;
        queue_init(&named);
        auto_free char *name = xstrndup(request, strcspn(request, " <>="));
        bool is_relation = strpbrk(request, "<>=") != NULL;
        find_shorter_name(packages, name, &named);
        if (named.count == 0 && is_relation)
                package_spec_find_providers(packages->pool, name, &named);
        const char *separator = "; there is ";
        for (int i = 0; i < named.count && i < SHOWN; i++) {
                auto_free char *full = package_full_name(packages, named.elements[i]);
                buf_printf(&requests->problems, "%s%s", separator, full);
                separator = ", ";
        }
        queue_free(&named);
}

// Why what a request names may not be installed; heap; NULL: it names nothing, or nothing that is left out.
static char *find_exclude_reason(const struct packages *packages, const char *request) {
        Queue named;
        char *reason = NULL;
        queue_init(&named);
        (void)package_spec_match(packages, request, false, &named);
        for (int i = 0; !reason && i < named.count; i++)
                reason = exclude_reason(packages, named.elements[i]);
        queue_free(&named);
        return reason;
}

static void add_unknown_package(struct requests *requests, const char *request) {
        auto_free char *near = nearest_names(requests->packages->pool, request);
        add_request_problem(requests, request, "no repository has the package");
        if (near) {
                auto_free char *text = xasprintf("did you mean %s?", near);
                add_hint(requests, text);
        }
        add_other_versions(requests, request);
}

static void explain_unanswered(struct requests *requests, const char *request) {
        if (requests->packages->limit == LIMIT_SET) {
                add_request_problem(requests, request, "the lock has no package for");
                return;
        }
        auto_free char *reason = find_exclude_reason(requests->packages, request);
        if (!reason) {
                add_unknown_package(requests, request);
                return;
        }
        add_request_problem(requests, request, "nothing can be installed for");
        buf_printf(&requests->problems, ": %s", reason);
}

static void add_path(struct requests *requests, const char *path) {
        Pool *pool = requests->packages->pool;
        Queue candidates;
        queue_init(&candidates);
        for (const Id *next = pool_whatprovides_ptr(pool, pool_str2id(pool, path, 1)); *next; next++)
                queue_push(&candidates, *next);
        package_spec_keep_installable(pool, &candidates);
        push_one_of(requests, &candidates);
        if (candidates.count == 0) {
                auto_free char *doubt = file_lists_doubt(requests->packages, path);
                add_request_problem(requests, path, "no repository has a package with the file");
                if (doubt)
                        buf_append_text(&requests->problems, doubt);
        }
        queue_free(&candidates);
}

// How dnf splits what a request names into jobs, each of one package: an architecture that is a glob asks for every
// name and architecture, any other glob for every name.
struct job_split {
        const Pool *pool;
        bool by_name, by_arch;
};

// 0: both are candidates of the same job.
static int compare_jobs(const struct job_split *split, Id left, Id right) {
        const Solvable *a = pool_id2solvable(split->pool, left), *b = pool_id2solvable(split->pool, right);
        int order = 0;
        if (split->by_name)
                order = (a->name > b->name) - (a->name < b->name);
        if (order == 0 && split->by_arch)
                order = (a->arch > b->arch) - (a->arch < b->arch);
        return order;
}

static int compare_candidates(const void *left, const void *right, void *context) {
        Id a = *(const Id *)left, b = *(const Id *)right;
        int order = compare_jobs(context, a, b);
        if (order != 0)
                return order;
        return (a > b) - (a < b);
}

static void push_each(struct requests *requests, Queue *named, struct job_split split, bool with_obsoleters) {
        Queue part;
        queue_init(&part);
        solv_sort(named->elements, (size_t)named->count, sizeof(Id), compare_candidates, &split);
        for (int i = 0; i < named->count; i++) {
                queue_push(&part, named->elements[i]);
                if (i + 1 < named->count && compare_jobs(&split, named->elements[i], named->elements[i + 1]) == 0)
                        continue;
                if (with_obsoleters)
                        add_obsoleters(requests, &part);
                push_one_of(requests, &part);
                queue_empty(&part);
        }
        queue_free(&part);
}

// A lock that was made when another package obsoleted what is asked for holds that one alone.
static void find_locked_obsoleters(struct requests *requests, const char *request, Queue *ret) {
        struct packages *packages = requests->packages;
        Queue named;
        if (packages->limit != LIMIT_SET)
                return;
        queue_init(&named);
        packages->pool->considered = &packages->considered;
        enum spec_kind kind = package_spec_find(packages, request, true, &named);
        packages->pool->considered = &packages->limited;
        if (kind == SPEC_NAME || kind == SPEC_NAME_ARCH)
                add_obsoleters(requests, &named);
        for (int i = 0; i < named.count; i++)
                queue_push(ret, named.elements[i]);
        package_spec_keep_installable(packages->pool, ret);
        queue_free(&named);
}

static void add_selected(struct requests *requests, const char *request) {
        Queue named;
        queue_init(&named);
        enum spec_kind kind = package_spec_match(requests->packages, request, true, &named);
        if (kind == SPEC_NONE && named.count == 0)
                find_locked_obsoleters(requests, request, &named);
        const char *dot = strrchr(request, '.');
        bool has_arch = kind == SPEC_NEVRA || kind == SPEC_NAME_ARCH;
        struct job_split split = { requests->packages->pool, package_spec_is_glob(request),
                                   has_arch && package_spec_is_glob(dot) };
        push_each(requests, &named, split, kind == SPEC_NAME || split.by_arch);
        if (named.count == 0)
                explain_unanswered(requests, request);
        queue_free(&named);
}

static void add_unknown_members(struct requests *requests, const char *request, const struct err *unknown) {
        begin_problem(requests, request);
        buf_append_text(&requests->problems, unknown->text);
        if (unknown->hint)
                add_hint(requests, unknown->hint);
}

// "nginx:1.24/server", as `request` has it, perhaps with an "@".
static void add_module_request(struct requests *requests, const char *request, const char *name) {
        auto_err unknown = { 0 };
        if (!modules_members(requests->packages->modules, name, add_group_member, requests, &unknown))
                add_unknown_members(requests, request, &unknown);
}

// `name` begins with "@". As with dnf a module comes before a group of its name.
static bool add_group_request(struct requests *requests, const char *name, struct err *err) {
        if (modules_know(requests->packages->modules, name + 1)) {
                add_module_request(requests, name, name + 1);
                return true;
        }
        if (!groups_load(requests->packages, err))
                return false;
        auto_err unknown = { 0 };
        if (!groups_members(requests->packages->groups, name + 1, add_group_member, requests, &unknown))
                add_unknown_members(requests, name, &unknown);
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

static bool add_request(struct requests *requests, const char *request, struct err *err) {
        if (request[0] == '@')
                return add_group_request(requests, request, err);
        bool names_stream = strchr(request, ':') && modules_know(requests->packages->modules, request);
        if (names_stream)
                add_module_request(requests, request, request);
        else if (request[0] == '/')
                add_path(requests, request);
        else
                add_selected(requests, request);
        return true;
}

static bool fail_for_requests(struct requests *requests, struct err *err) {
        fail(err, ERR_PACKAGE, 0, "%s", buf_text(&requests->problems));
        if (requests->hints.size > 0)
                hint(err, "%s", buf_text(&requests->hints));
        return false;
}

bool request_jobs(struct packages *packages, const char *const *requests, size_t count, Queue *jobs, struct err *err) {
        assert(packages->prepared);
        struct requests all = { .packages = packages, .jobs = jobs };
        find_obsoleting(&all);
        allow_several_versions(&all);
        bool ok = true;
        for (size_t i = 0; ok && i < count; i++)
                ok = add_request(&all, requests[i], err);
        if (ok && all.problems.size > 0)
                ok = fail_for_requests(&all, err);
        queue_free(&all.obsoleting);
        buf_release(&all.problems);
        buf_release(&all.hints);
        return ok;
}
