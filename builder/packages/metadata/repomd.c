// SPDX-License-Identifier: MIT
#include "packages/metadata/repomd.h"

#include <assert.h>
#include <solv/pool.h>
#include <solv/repo.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"

// libsolv's headers need pool.h first
#include <solv/chksum.h>
#include <solv/repo_repomdxml.h>
#include <solv/solv_xfopen.h>

// sha256 is what is published; old repositories have sha1 ("sha"). MD5 proves nothing.
static bool checksum_is_strong(const char *type) {
        static const char *const strong[] = { "sha1", "sha", "sha224", "sha256", "sha384", "sha512" };
        for (size_t i = 0; i < lengthof(strong); i++)
                if (strcmp(type, strong[i]) == 0)
                        return true;
        return false;
}

static bool read_repomd_entry(struct source *source, Pool *pool, const char *type, struct metadata_file *ret,
                              struct err *err) {
        Id checksum_type = 0;
        const char *location = pool_lookup_str(pool, SOLVID_POS, REPOSITORY_REPOMD_LOCATION);
        const char *checksum = pool_lookup_checksum(pool, SOLVID_POS, REPOSITORY_REPOMD_CHECKSUM, &checksum_type);
        const char *name = NULL;
        if (checksum)
                name = solv_chksum_type2str(checksum_type);
        if (!location || !url_location_is_safe(location))
                return fail(err, ERR_CORRUPT, 0, "repomd.xml: the location of %s is missing or leads outside", type);
        if (!name || !checksum_is_strong(name))
                return fail(err, ERR_CORRUPT, 0, "repomd.xml: %s has no checksum better than MD5", type);
        ret->location = arena_strdup(source->arena, location);
        ret->checksum_type = arena_strdup(source->arena, name);
        ret->checksum = arena_strdup(source->arena, checksum);
        ret->size_bytes = pool_lookup_num(pool, SOLVID_POS, REPOSITORY_REPOMD_SIZE, 0);
        return true;
}

static bool find_repomd_entry(struct source *source, Repo *repo, const char *type, struct metadata_file *ret,
                              struct err *err) {
        Dataiterator iterator;
        bool ok = true;
        dataiterator_init(&iterator, repo->pool, repo, SOLVID_META, REPOSITORY_REPOMD_TYPE, type, SEARCH_STRING);
        dataiterator_prepend_keyname(&iterator, REPOSITORY_REPOMD);
        if (dataiterator_step(&iterator)) {
                dataiterator_setpos_parent(&iterator);
                ok = read_repomd_entry(source, repo->pool, type, ret, err);
        }
        dataiterator_free(&iterator);
        return ok;
}

// zchunk and sqlite variants have the same contents and are not used.
static bool find_repomd_entries(struct source *source, Repo *repo, struct err *err) {
        const struct {
                const char *type;
                struct metadata_file *file;
        } wanted[] = {
                { "primary", &source->primary }, { "filelists", &source->filelists }, { "group_gz", &source->group },
                { "group_xz", &source->group },  { "group_zst", &source->group },     { "group", &source->group },
                { "modules", &source->modules },
        };
        for (size_t i = 0; i < lengthof(wanted); i++)
                if (!wanted[i].file->location && !find_repomd_entry(source, repo, wanted[i].type, wanted[i].file, err))
                        return false;
        if (!source->primary.location)
                return fail(err, ERR_CORRUPT, 0, "repomd.xml lists no primary metadata");
        return true;
}

static uint64_t find_latest_stamp(Repo *repo) {
        Dataiterator iterator;
        uint64_t latest = 0;
        dataiterator_init(&iterator, repo->pool, repo, SOLVID_META, REPOSITORY_REPOMD_TYPE, NULL, 0);
        dataiterator_prepend_keyname(&iterator, REPOSITORY_REPOMD);
        while (dataiterator_step(&iterator)) {
                dataiterator_setpos_parent(&iterator);
                uint64_t stamp = pool_lookup_num(repo->pool, SOLVID_POS, REPOSITORY_REPOMD_TIMESTAMP, 0);
                if (stamp > latest)
                        latest = stamp;
        }
        dataiterator_free(&iterator);
        return latest;
}

// When the metadata was made: the latest time stamp of its files, or else the revision, which createrepo makes of the
// time. 0: it does not say, or what it says is no time.
static int64_t find_repomd_time(Repo *repo) {
        uint64_t time = find_latest_stamp(repo);
        if (time == 0) {
                const char *revision = repo_lookup_str(repo, SOLVID_META, REPOSITORY_REVISION);
                if (revision && *revision && strspn(revision, "0123456789") == strlen(revision))
                        time = strtoull(revision, NULL, 10);
        }
        if (time > INT32_MAX * INT64_C(4))
                return 0;
        return (int64_t)time;
}

static bool parse_repomd(Repo *repo, const char *bytes, size_t size, struct err *err) {
        auto_fclose FILE *stream = solv_fmemopen(bytes, size, "r");
        if (!stream || repo_add_repomdxml(repo, stream, 0) != 0)
                return fail(err, ERR_CORRUPT, 0, "repomd.xml does not parse: %s", pool_errstr(repo->pool));
        return true;
}

bool repomd_parse(struct source *source, const char *bytes, size_t size, struct err *err) {
        assert(bytes);
        source->primary = source->filelists = source->group = source->modules = (struct metadata_file){ 0 };
        source->published = 0;
        Pool *pool = pool_create();
        Repo *repo = repo_create(pool, source->repository->name);
        bool ok = parse_repomd(repo, bytes, size, err) && find_repomd_entries(source, repo, err);
        if (ok)
                source->published = find_repomd_time(repo);
        pool_free(pool);
        return ok;
}
