// SPDX-License-Identifier: MIT
#include "packages/solve/file_dependencies.h"

#include <string.h>

#include "base/mem.h"
#include "packages/metadata/source.h"

// The directories that became links in EL7 (and Debian 12): /bin/sh and /usr/bin/sh are one file, whichever a package
// names.
static const struct {
        const char *before, *after;
} usrmove[] = {
        { "/bin/", "/usr/bin/" },
        { "/sbin/", "/usr/sbin/" },
        { "/lib/", "/usr/lib/" },
        { "/lib64/", "/usr/lib64/" },
};

char *path_across_usrmove(const char *path) {
        for (size_t i = 0; i < lengthof(usrmove); i++) {
                size_t before = strlen(usrmove[i].before);
                size_t after = strlen(usrmove[i].after);
                if (strncmp(path, usrmove[i].before, before) == 0)
                        return xasprintf("%s%s", usrmove[i].after, path + before);
                if (strncmp(path, usrmove[i].after, after) == 0)
                        return xasprintf("%s%s", usrmove[i].before, path + after);
        }
        return NULL;
}

// What createrepo puts into primary.xml.
bool path_is_in_primary(const char *path) {
        return strncmp(path, "/etc/", 5) == 0 || strstr(path, "bin/") || strcmp(path, "/usr/lib/sendmail") == 0;
}

// Every path that a request or a package asks for, each once.
struct file_paths {
        Pool *pool;
        Map seen;
        Queue queue;
};

static void collect_path(struct file_paths *paths, Id dependency) {
        while (ISRELDEP(dependency)) {
                const Reldep *rel = GETRELDEP(paths->pool, dependency);
                collect_path(paths, rel->evr);
                dependency = rel->name;
        }
        if (*pool_id2str(paths->pool, dependency) != '/' || MAPTST(&paths->seen, dependency))
                return;
        MAPSET(&paths->seen, dependency);
        queue_push(&paths->queue, dependency);
}

static void collect_paths(struct packages *packages, struct file_paths *paths) {
        Pool *pool = packages->pool;
        paths->pool = pool;
        map_init(&paths->seen, pool->ss.nstrings);
        queue_init(&paths->queue);
        for (int i = 0; i < packages->wanted_paths.count; i++)
                collect_path(paths, packages->wanted_paths.elements[i]);
        for (Id id = 2; id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || !solvable->requires || !MAPTST(&packages->considered, id))
                        continue;
                for (const Id *next = solvable->repo->idarraydata + solvable->requires; *next; next++)
                        if (*next != SOLVABLE_PREREQMARKER)
                                collect_path(paths, *next);
        }
}

// The pseudo package "requires" every path by both of its names.
static void ask_for_paths(struct packages *packages, const struct file_paths *paths) {
        Pool *pool = packages->pool;
        Solvable *solvable = pool_id2solvable(pool, packages->paths);
        Id wanted = 0;
        for (int i = 0; i < paths->queue.count; i++) {
                auto_free char *other = path_across_usrmove(pool_id2str(pool, paths->queue.elements[i]));
                if (other)
                        wanted = repo_addid_dep(solvable->repo, wanted, pool_str2id(pool, other, 1), 0);
        }
        for (int i = 0; i < packages->wanted_paths.count; i++)
                wanted = repo_addid_dep(solvable->repo, wanted, packages->wanted_paths.elements[i], 0);
        solvable->requires = wanted;
}

static bool has_providers(Pool *pool, Id id) { return pool->whatprovidesdata[pool_whatprovides(pool, id)] != 0; }

static void set_providers(Pool *pool, Id path, Id first, Id other) {
        Queue providers;
        queue_init(&providers);
        if (first)
                queue_push(&providers, first);
        if (other)
                for (const Id *next = pool_whatprovides_ptr(pool, other); *next; next++)
                        queue_push(&providers, *next);
        pool_set_whatprovides(pool, path, pool_queuetowhatprovides(pool, &providers));
        queue_free(&providers);
}

static void find_path_providers(struct packages *packages, Id path, bool strict) {
        Pool *pool = packages->pool;
        if (has_providers(pool, path))
                return;
        const char *text = pool_id2str(pool, path);
        auto_free char *other = path_across_usrmove(text);
        Id other_id = 0;
        if (other)
                other_id = pool_str2id(pool, other, 0);
        if (other_id && has_providers(pool, other_id)) {
                set_providers(pool, path, 0, other_id);
        } else if (!packages->filelists_loaded && !path_is_in_primary(text)) {
                queue_push(&packages->unresolved, path);
                if (!strict)
                        set_providers(pool, path, SYSTEMSOLVABLE, 0);
        }
}

void file_dependencies_prepare(struct packages *packages, bool strict) {
        struct file_paths paths;
        collect_paths(packages, &paths);
        ask_for_paths(packages, &paths);
        pool_addfileprovides(packages->pool);
        pool_createwhatprovides(packages->pool);
        queue_empty(&packages->unresolved);
        for (int i = 0; i < paths.queue.count; i++)
                find_path_providers(packages, paths.queue.elements[i], strict);
        map_free(&paths.seen);
        queue_free(&paths.queue);
}

char *file_lists_doubt(const struct packages *packages, const char *path) {
        if (*path != '/' || path_is_in_primary(path))
                return NULL;
        if (packages->filelists_refused)
                return xstrdup("; the file lists that would tell are not available");
        for (size_t i = 0; i < packages->source_count; i++)
                if (!packages->sources[i].is_absent && !packages->sources[i].filelists.location)
                        return xasprintf("; repository %s has no file lists that would tell",
                                         packages->sources[i].repository->name);
        return NULL;
}
