#include <fnmatch.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "packages/internal.h"

// libsolv's headers need pool.h first
#include <solv/poolarch.h>
#include <solv/repo_rpmmd.h>

static char *cache_path(const struct source *source, const struct metadata_file *file, const char *suffix) {
        return xasprintf("%s/%.32s%s", source->dir, file->checksum, suffix);
}

static bool parse(Repo *repo, const struct source *source, const char *what, const char *path, const char *language,
                  int flags, struct err *err) {
        struct stream *stream = stream_open(path);
        if (!stream)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s cannot be opened: its compression is not known",
                            source->repository->name, path);
        bool parsed = repo_add_rpmmd(repo, stream_file(stream), language, flags) == 0;
        bool whole = stream_close(stream);
        if (!parsed)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s (%s) does not parse: %s", source->repository->name,
                            what, path, pool_errstr(repo->pool));
        return whole || fail(err, ERR_CORRUPT, 0, "repository %s: %s (%s) does not decompress",
                             source->repository->name, what, path);
}

static bool load_primary(struct source *source, Repo *repo, struct err *err) {
        auto_free char *cached = cache_path(source, &source->primary, ".solv");
        const char *path = NULL;
        if (solv_cache_read(repo, cached, source->primary.checksum, 0))
                return true;
        repo_empty(repo, 1);
        if (!source_metadata(source, "primary metadata", &source->primary, &path, err) ||
            !parse(repo, source, "primary metadata", path, NULL, 0, err))
                return false;
        solv_cache_write(repo, cached, source->primary.checksum, 0);
        return true;
}

static bool load_filelists(struct source *source, Repo *repo, struct err *err) {
        if (!source->filelists.location)
                return true;
        auto_free char *cached = cache_path(source, &source->filelists, ".filelists.solv");
        auto_free char *cookie = xasprintf("%s %s", source->primary.checksum, source->filelists.checksum);
        const char *path = NULL;
        int first_area = repo->nrepodata;
        if (solv_cache_read(repo, cached, cookie, REPO_EXTEND_SOLVABLES))
                return true;
        if (!source_metadata(source, "file lists", &source->filelists, &path, err) ||
            !parse(repo, source, "file lists", path, "FL", REPO_EXTEND_SOLVABLES, err))
                return false;
        solv_cache_write(repo, cached, cookie, first_area);
        return true;
}

static bool matches(const char *pattern, Pool *pool, const Solvable *solvable) {
        const char *name = pool_id2str(pool, solvable->name);
        const char *arch = pool_id2str(pool, solvable->arch);
        const char *evr = pool_id2str(pool, solvable->evr);
        const char *colon = strchr(evr, ':');
        char text[1024];
        if (fnmatch(pattern, name, 0) == 0)
                return true;
        snprintf(text, sizeof text, "%s-%s.%s", name, colon ? colon + 1 : evr, arch);
        if (fnmatch(pattern, text, 0) == 0)
                return true;
        snprintf(text, sizeof text, "%s-%s.%s", name, evr, arch);
        if (colon && fnmatch(pattern, text, 0) == 0)
                return true;
        snprintf(text, sizeof text, "%s.%s", name, arch);
        return fnmatch(pattern, text, 0) == 0;
}

static bool matches_any(const struct strings *patterns, Pool *pool, const Solvable *solvable) {
        for (size_t i = 0; i < patterns->count; i++)
                if (matches(patterns->items[i], pool, solvable))
                        return true;
        return false;
}

struct source *pool_source(const Solvable *solvable) {
        return solvable->repo ? solvable->repo->appdata : NULL;
}

// Packages that are left out stay in the pool, so that an explanation can name them.
static void consider(struct packages *packages) {
        Pool *pool = packages->pool;
        map_init(&packages->considered, pool->nsolvables);
        map_setall(&packages->considered);
        for (Id id = 2; id < pool->nsolvables; id++) {
                const Solvable *solvable = pool_id2solvable(pool, id);
                const struct source *source = pool_source(solvable);
                if (!source)
                        continue;
                const struct repository *repository = source->repository;
                if (matches_any(&packages->release->excludes, pool, solvable) ||
                    matches_any(&repository->excludes, pool, solvable) ||
                    (repository->includes.count > 0 && !matches_any(&repository->includes, pool, solvable)))
                        MAPCLR(&packages->considered, id);
        }
        pool->considered = &packages->considered;
}

// A package that is never installed: libsolv looks up files only for paths that some package requires.
static void add_pseudo_package(struct packages *packages) {
        Repo *repo = repo_create(packages->pool, "kiln");
        packages->paths = repo_add_solvable(repo);
        Solvable *solvable = pool_id2solvable(packages->pool, packages->paths);
        solvable->name = pool_str2id(packages->pool, "kiln:paths", 1);
        solvable->evr = pool_str2id(packages->pool, "0-0", 1);
        solvable->arch = ARCH_NOARCH;
}

bool pool_open(struct packages *packages, struct err *err) {
        packages->pool = pool_create();
        pool_setdisttype(packages->pool, DISTTYPE_RPM);
        pool_setarch(packages->pool, packages->release->arch);
        pool_set_flag(packages->pool, POOL_FLAG_WHATPROVIDESWITHDISABLED, 1);
        queue_init(&packages->wanted_paths);
        queue_init(&packages->unresolved);
        for (size_t i = 0; i < packages->source_count; i++) {
                struct source *source = &packages->sources[i];
                Repo *repo = repo_create(packages->pool, source->repository->name);
                repo->appdata = source;
                repo->priority = -source->repository->priority; // libsolv: the higher wins
                if (!interrupt_check(err) || !load_primary(source, repo, err))
                        return false;
        }
        add_pseudo_package(packages);
        consider(packages);
        return true;
}

bool pool_load_filelists(struct packages *packages, struct err *err) {
        Pool *pool = packages->pool;
        Repo *repo;
        int index;
        FOR_REPOS(index, repo) {
                if (!repo->appdata)
                        continue;
                if (!interrupt_check(err) || !load_filelists(repo->appdata, repo, err))
                        return false;
        }
        packages->filelists_loaded = true;
        return true;
}

void pool_close(struct packages *packages) {
        if (!packages->pool)
                return;
        queue_free(&packages->wanted_paths);
        queue_free(&packages->unresolved);
        packages->pool->considered = NULL;
        map_free(&packages->considered);
        pins_release(packages);
        pool_free(packages->pool);
}
