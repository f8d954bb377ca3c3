// SPDX-License-Identifier: MIT
#include "packages/solve/pool.h"

#include <assert.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/err.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/solv_file.h"
#include "packages/metadata/source.h"
#include "packages/metadata/stream.h"
#include "packages/packages.h"
#include "packages/solve/module_streams.h"
#include "packages/solve/package_spec.h"
#include "profile/profile.h"

// libsolv's headers need pool.h first
#include <solv/poolarch.h>
#include <solv/repo_rpmmd.h>

// Of text. The largest that are published have a third of it.
enum { PRIMARY_MAX_BYTES = 512 << 20, FILELISTS_MAX_BYTES = 1 << 30 };

static char *solv_path(const struct source *source, const struct metadata_file *file, const char *suffix) {
        return xasprintf("%s/%.32s%s", source->dir, file->checksum, suffix);
}

// Closes the descriptor.
static bool parse_metadata(Repo *repo, const struct source *source, const char *what, const struct metadata_file *file,
                           int fd, const char *language, int flags, struct err *err) {
        const char *name = source->repository->name;
        struct stream *stream;
        bool is_primary = language == NULL;
        const char *wrong = NULL;
        uint64_t max_bytes = FILELISTS_MAX_BYTES;
        if (is_primary)
                max_bytes = PRIMARY_MAX_BYTES;
        bool opened = stream_open(fd, file->location, is_primary, max_bytes, &stream, err);
        close(fd);
        if (!opened)
                return wrap(err, "repository %s", name);
        bool parsed = repo_add_rpmmd(repo, stream_file(stream), language, flags) == 0;
        bool whole = stream_close(stream, &wrong);
        if (wrong)
                return fail(err, ERR_CORRUPT, 0,
                            "repository %s: %s (%s) is refused: %s (at most %" PRIu64 " bytes of text are read)", name,
                            what, file->location, wrong, max_bytes);
        if (!parsed)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s (%s) does not parse: %s", name, what,
                            file->location, pool_errstr(repo->pool));
        if (!whole)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s (%s) does not decompress", name, what,
                            file->location);
        return true;
}

static bool load_primary(struct source *source, Repo *repo, struct err *err) {
        if (source->is_absent)
                return true;
        auto_free char *cached = solv_path(source, &source->primary, ".solv");
        int fd = -1;
        if (solv_cache_read(repo, cached, source->primary.checksum, 0))
                return true;
        repo_empty(repo, 1);
        if (!metadata_file_open(source, "primary metadata", &source->primary, &fd, err) ||
            !parse_metadata(repo, source, "primary metadata", &source->primary, fd, NULL, 0, err))
                return false;
        solv_cache_write(repo, cached, source->primary.checksum, 0, &source->writer);
        return true;
}

static bool load_filelists(struct source *source, Repo *repo, struct err *err) {
        if (!source->filelists.location)
                return true;
        auto_free char *cached = solv_path(source, &source->filelists, ".filelists.solv");
        auto_free char *cookie = xasprintf("%s %s", source->primary.checksum, source->filelists.checksum);
        int fd = -1;
        int first_area = repo->nrepodata;
        if (solv_cache_read(repo, cached, cookie, REPO_EXTEND_SOLVABLES))
                return true;
        if (!metadata_file_open(source, "file lists", &source->filelists, &fd, err) ||
            !parse_metadata(repo, source, "file lists", &source->filelists, fd, "FL", REPO_EXTEND_SOLVABLES, err))
                return false;
        solv_cache_write(repo, cached, cookie, first_area, &source->writer);
        return true;
}

// Sets or clears in `map` the packages that the patterns name: those of one repository, or (`only` NULL) of all.
static void mark_named(struct packages *packages, const struct strings *patterns, const struct repository *only,
                       bool set, Map *map) {
        Queue named;
        queue_init(&named);
        for (size_t i = 0; i < patterns->count; i++) {
                (void)package_spec_find(packages, patterns->items[i], false, &named);
                for (int k = 0; k < named.count; k++) {
                        Id id = named.elements[k];
                        if (only && pool_source(pool_id2solvable(packages->pool, id))->repository != only)
                                continue;
                        if (set)
                                MAPSET(map, id);
                        else
                                MAPCLR(map, id);
                }
        }
        queue_free(&named);
}

// A repository with `includes` offers nothing else.
static void leave_only_included(struct packages *packages, const Repo *repo, const struct repository *repository) {
        Map included;
        Id id;
        const Solvable *solvable;
        map_init(&included, packages->pool->nsolvables);
        mark_named(packages, &repository->includes, repository, true, &included);
        FOR_REPO_SOLVABLES(repo, id, solvable) {
                if (!MAPTST(&included, id))
                        MAPCLR(&packages->considered, id);
        }
        map_free(&included);
}

// Packages that are left out stay in the pool, so that an explanation can name them.
static void apply_excludes(struct packages *packages) {
        Pool *pool = packages->pool;
        Repo *repo;
        int index;
        map_init(&packages->considered, pool->nsolvables);
        map_setall(&packages->considered);
        mark_named(packages, &packages->release->excludes, NULL, false, &packages->considered);
        FOR_REPOS(index, repo) {
                const struct source *source = repo->appdata;
                if (!source)
                        continue;
                mark_named(packages, &source->repository->excludes, source->repository, false, &packages->considered);
                if (source->repository->includes.count > 0)
                        leave_only_included(packages, repo, source->repository);
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
        assert(!packages->pool);
        packages->pool = pool_create();
        pool_setdisttype(packages->pool, DISTTYPE_RPM);
        pool_setarch(packages->pool, packages->release->arch);
        pool_set_flag(packages->pool, POOL_FLAG_WHATPROVIDESWITHDISABLED, 1);
        pool_set_flag(packages->pool, POOL_FLAG_IMPLICITOBSOLETEUSESCOLORS, 1); // 32 and 64 bits beside each other
        queue_init(&packages->wanted_paths);
        queue_init(&packages->unresolved);
        queue_init(&packages->obsoleted_told);
        for (size_t i = 0; i < packages->source_count; i++) {
                struct source *source = &packages->sources[i];
                Repo *repo = repo_create(packages->pool, source->repository->name);
                repo->appdata = source;
                repo->priority = -source->repository->priority; // libsolv: the higher wins
                if (!interrupt_check(err) || !load_primary(source, repo, err))
                        return false;
        }
        add_pseudo_package(packages);
        apply_excludes(packages);
        return modules_apply(packages, err);
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
        queue_free(&packages->obsoleted_told);
        packages->pool->considered = NULL;
        map_free(&packages->considered);
        map_free(&packages->limited);
        map_free(&packages->held);
        modules_free(packages->modules);
        free(packages->described);
        pool_free(packages->pool);
}
