// SPDX-License-Identifier: MIT
#include "packages/solve/groups.h"

#include <assert.h>
#include <solv/repo.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/source.h"
#include "packages/metadata/stream.h"
#include "packages/solve/pool.h"
#include "packages/solve/suggestions.h"

// libsolv's headers need pool.h first
#include <solv/repo_comps.h>

enum { GROUPS_MAX_BYTES = 64 << 20 };

static bool load_comps(struct groups *groups, struct source *source, struct err *err) {
        auto_close int fd = -1;
        const char *name = source->repository->name;
        if (!source->group.location)
                return true;
        if (!metadata_file_open(source, "groups", &source->group, &fd, err))
                return false;
        struct stream *stream;
        if (!stream_open(fd, source->group.location, false, GROUPS_MAX_BYTES, &stream, err))
                return wrap(err, "repository %s: groups", name);
        Repo *repo = repo_create(groups->pool, name);
        bool parsed = repo_add_comps(repo, stream_file(stream), 0) == 0;
        const char *wrong = NULL;
        bool whole = stream_close(stream, &wrong);
        if (wrong)
                return fail(err, ERR_CORRUPT, 0,
                            "repository %s: groups (%s) are refused: %s (at most %d bytes of text are read)", name,
                            source->group.location, wrong, GROUPS_MAX_BYTES);
        if (!parsed || !whole)
                return fail(err, ERR_CORRUPT, 0, "repository %s: groups (%s) do not parse: %s", name,
                            source->group.location, pool_errstr(groups->pool));
        return true;
}

bool groups_load(struct packages *packages, struct err *err) {
        if (packages->groups)
                return true;
        struct groups *groups = xcalloc(1, sizeof *groups);
        groups->pool = pool_create();
        bool ok = true;
        for (size_t i = 0; ok && i < packages->source_count; i++)
                ok = load_comps(groups, &packages->sources[i], err);
        if (!ok) {
                groups_free(groups);
                return false;
        }
        packages->groups = groups;
        return true;
}

void groups_free(struct groups *groups) {
        if (!groups)
                return;
        pool_free(groups->pool);
        free(groups);
}

// libsolv names them "group:core" and "environment:minimal"; people write the id or the title.
static bool is_called(Solvable *solvable, const char *kind, const char *name) {
        size_t length = strlen(kind);
        const char *full = pool_id2str(solvable->repo->pool, solvable->name);
        if (strncmp(full, kind, length) != 0)
                return false;
        if (strcmp(full + length, name) == 0)
                return true;
        const char *title = solvable_lookup_str(solvable, SOLVABLE_SUMMARY);
        return title && strcasecmp(title, name) == 0;
}

static void add_members(Solvable *group, Id relation, comps_member *add, void *context) {
        Pool *pool = group->repo->pool;
        Queue members;
        queue_init(&members);
        solvable_lookup_deparray(group, relation, &members, 0);
        for (int i = 0; i < members.count; i++) {
                Id member = members.elements[i];
                if (!ISRELDEP(member)) {
                        add(context, pool_id2str(pool, member), NULL);
                        continue;
                }
                const Reldep *condition = GETRELDEP(pool, member);
                if (condition->flags == REL_COND && !ISRELDEP(condition->name) && !ISRELDEP(condition->evr))
                        add(context, pool_id2str(pool, condition->name), pool_id2str(pool, condition->evr));
        }
        queue_free(&members);
}

// A group that several repositories describe is the union of them, as in dnf.
static bool add_group(const struct groups *groups, const char *name, comps_member *add, void *context) {
        bool found = false;
        for (Id id = 2; id < groups->pool->nsolvables; id++) {
                Solvable *group = pool_id2solvable(groups->pool, id);
                if (!group->repo || !is_called(group, "group:", name))
                        continue;
                found = true;
                add_members(group, SOLVABLE_REQUIRES, add, context);
                add_members(group, SOLVABLE_RECOMMENDS, add, context);
        }
        return found;
}

struct nested {
        const struct groups *groups;
        comps_member *add;
        void *context;
};

static void add_nested(void *context, const char *name, const char *condition) {
        const struct nested *nested = context;
        (void)condition;
        if (strncmp(name, "group:", 6) == 0)
                add_group(nested->groups, name + 6, nested->add, nested->context);
}

static bool add_environment(const struct groups *groups, const char *name, comps_member *add, void *context) {
        struct nested nested = { groups, add, context };
        bool found = false;
        for (Id id = 2; id < groups->pool->nsolvables; id++) {
                Solvable *environment = pool_id2solvable(groups->pool, id);
                if (!environment->repo || !is_called(environment, "environment:", name))
                        continue;
                found = true;
                add_members(environment, SOLVABLE_REQUIRES, add_nested, &nested);
        }
        return found;
}

static bool fail_for_group(const struct groups *groups, const char *name, struct err *err) {
        struct suggestions *suggestions = suggestions_new(name);
        for (Id id = 2; id < groups->pool->nsolvables; id++) {
                const Solvable *group = pool_id2solvable(groups->pool, id);
                if (!group->repo)
                        continue;
                const char *colon = strchr(pool_id2str(groups->pool, group->name), ':');
                if (colon)
                        suggestions_consider(suggestions, colon + 1);
        }
        auto_free char *near = suggestions_finish(suggestions);
        fail(err, ERR_PACKAGE, 0, "no repository has the group `%s`", name);
        if (near)
                hint(err, "did you mean %s?", near);
        return false;
}

bool groups_members(const struct groups *groups, const char *name, comps_member *add, void *context, struct err *err) {
        assert(groups);
        bool environment_only = *name == '^';
        name += environment_only;
        if (!environment_only && add_group(groups, name, add, context))
                return true;
        return add_environment(groups, name, add, context) || fail_for_group(groups, name, err);
}
