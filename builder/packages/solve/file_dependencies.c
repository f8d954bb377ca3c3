// SPDX-License-Identifier: MIT
#include "packages/solve/file_dependencies.h"

#include <solv/repo.h>
#include <string.h>

#include "base/mem.h"
#include "packages/solve/pool.h"

// The directories that became links in EL7 (and Debian 12): /bin/sh and /usr/bin/sh are one file, whichever a package
// names.
static const struct {
        const char *before, *after;
} moved[] = {
        { "/bin/", "/usr/bin/" },
        { "/sbin/", "/usr/sbin/" },
        { "/lib/", "/usr/lib/" },
        { "/lib64/", "/usr/lib64/" },
};

char *path_other_side_of_usrmove(const char *path) {
        for (size_t i = 0; i < lengthof(moved); i++) {
                size_t before = strlen(moved[i].before);
                size_t after = strlen(moved[i].after);
                if (strncmp(path, moved[i].before, before) == 0)
                        return xasprintf("%s%s", moved[i].after, path + before);
                if (strncmp(path, moved[i].after, after) == 0)
                        return xasprintf("%s%s", moved[i].before, path + after);
        }
        return NULL;
}

// What createrepo puts into primary.xml.
bool path_is_in_primary(const char *path) {
        return strncmp(path, "/etc/", 5) == 0 || strstr(path, "bin/") || strcmp(path, "/usr/lib/sendmail") == 0;
}

struct collection {
        Pool *pool;
        Map seen;
        Queue paths;
};

static void collect(struct collection *collection, Id dependency) {
        while (ISRELDEP(dependency)) {
                const Reldep *rel = GETRELDEP(collection->pool, dependency);
                collect(collection, rel->evr);
                dependency = rel->name;
        }
        if (*pool_id2str(collection->pool, dependency) != '/' || MAPTST(&collection->seen, dependency))
                return;
        MAPSET(&collection->seen, dependency);
        queue_push(&collection->paths, dependency);
}

static void collect_all(struct packages *packages, struct collection *collection) {
        Pool *pool = packages->pool;
        collection->pool = pool;
        map_init(&collection->seen, pool->ss.nstrings);
        queue_init(&collection->paths);
        for (int i = 0; i < packages->wanted_paths.count; i++)
                collect(collection, packages->wanted_paths.elements[i]);
        for (Id id = 2; id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || !solvable->requires || !MAPTST(&packages->considered, id))
                        continue;
                for (const Id *next = solvable->repo->idarraydata + solvable->requires; *next; next++)
                        if (*next != SOLVABLE_PREREQMARKER)
                                collect(collection, *next);
        }
}

static void ask_for_paths(struct packages *packages, const struct collection *collection) {
        Pool *pool = packages->pool;
        Repo *repo = pool_id2solvable(pool, packages->paths)->repo;
        Id requires = 0;
        for (int i = 0; i < collection->paths.count; i++) {
                Id path = collection->paths.elements[i];
                auto_free char *other = path_other_side_of_usrmove(pool_id2str(pool, path));
                if (other)
                requires = repo_addid_dep(repo, requires, pool_str2id(pool, other, 1), 0);
        }
        for (int i = 0; i < packages->wanted_paths.count; i++)
        requires = repo_addid_dep(repo, requires, packages->wanted_paths.elements[i], 0);
        pool_id2solvable(pool, packages->paths)->requires = requires;
}

static bool has_providers(Pool *pool, Id id) { return pool->whatprovidesdata[pool_whatprovides(pool, id)] != 0; }

static void set_providers(Pool *pool, Id path, Id first, Id other) {
        Queue providers;
        queue_init(&providers);
        if (first)
                queue_push(&providers, first);
        for (const Id *next = other ? pool_whatprovides_ptr(pool, other) : NULL; next && *next; next++)
                queue_push(&providers, *next);
        pool_set_whatprovides(pool, path, pool_queuetowhatprovides(pool, &providers));
        queue_free(&providers);
}

static void answer(struct packages *packages, Id path, bool strict) {
        Pool *pool = packages->pool;
        if (has_providers(pool, path))
                return;
        const char *text = pool_id2str(pool, path);
        auto_free char *other = path_other_side_of_usrmove(text);
        Id other_id = other ? pool_str2id(pool, other, 0) : 0;
        if (other_id && has_providers(pool, other_id)) {
                set_providers(pool, path, 0, other_id);
        } else if (!packages->filelists_loaded && !path_is_in_primary(text)) {
                queue_push(&packages->unresolved, path);
                if (!strict)
                        set_providers(pool, path, SYSTEMSOLVABLE, 0);
        }
}

void paths_prepare(struct packages *packages, bool strict) {
        struct collection collection;
        collect_all(packages, &collection);
        ask_for_paths(packages, &collection);
        pool_addfileprovides(packages->pool);
        pool_createwhatprovides(packages->pool);
        queue_empty(&packages->unresolved);
        for (int i = 0; i < collection.paths.count; i++)
                answer(packages, collection.paths.elements[i], strict);
        map_free(&collection.seen);
        queue_free(&collection.paths);
}
