// SPDX-License-Identifier: MIT
#include "packages/solve/package_describe.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/fetch/url.h"
#include "packages/metadata/source.h"

// libsolv's headers need pool.h first
#include <solv/chksum.h>
#include <solv/evr.h>

// Sets epoch, version, release and nevra.
static void describe_evr(struct arena *arena, const char *evr, struct package *package) {
        const char *version = evr;
        const char *colon = strchr(evr, ':');
        char epoch[24] = "";
        if (colon) {
                package->epoch = strtoull(evr, NULL, 10);
                version = colon + 1;
        }
        if (package->epoch)
                snprintf(epoch, sizeof epoch, "%llu:", (unsigned long long)package->epoch);
        package->nevra = arena_printf(arena, "%s-%s%s.%s", package->name, epoch, version, package->arch);
        size_t length = strlen(version);
        package->release = "";
        const char *dash = strrchr(version, '-');
        if (dash) {
                length = (size_t)(dash - version);
                package->release = arena_strdup(arena, dash + 1);
        }
        package->version = arena_strndup(arena, version, length);
}

static bool describe_location(struct packages *packages, Solvable *solvable, struct package *package, struct err *err) {
        const char *location = solvable_lookup_location(solvable, NULL);
        const char *base = solvable_lookup_str(solvable, SOLVABLE_MEDIABASE);
        bool base_is_safe = !base || url_location_is_safe(base);
        if (!location || !url_location_is_safe(location) || !base_is_safe)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s has no location, or one that leads outside",
                            package->repository->name, package->nevra);
        package->location = arena_strdup(&packages->arena, location);
        if (base) {
                auto_free char *whole = url_join(base, location);
                package->location = arena_strdup(&packages->arena, whole);
        }
        return true;
}

static bool describe_checksum(struct packages *packages, Solvable *solvable, struct package *package, struct err *err) {
        Id type = 0;
        const char *checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
        if (!checksum || type == REPOKEY_TYPE_MD5)
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s has no checksum worth the name",
                            package->repository->name, package->nevra);
        package->checksum = arena_strdup(&packages->arena, checksum);
        package->checksum_type = arena_strdup(&packages->arena, solv_chksum_type2str(type));
        return true;
}

void package_describe_words(struct packages *packages, Id id, struct package *package) {
        struct arena *arena = &packages->arena;
        Solvable *solvable = pool_id2solvable(packages->pool, id);
        package->licence = arena_strdup(arena, text_or(solvable_lookup_str(solvable, SOLVABLE_LICENSE), ""));
        package->vendor = "";
        if (solvable->vendor)
                package->vendor = arena_strdup(arena, pool_id2str(packages->pool, solvable->vendor));
}

static bool describe_solvable(struct packages *packages, Id id, struct package *package, struct err *err) {
        Pool *pool = packages->pool;
        struct arena *arena = &packages->arena;
        Solvable *solvable = pool_id2solvable(pool, id);
        *package = (struct package){
                .solvable = id,
                .name = arena_strdup(arena, pool_id2str(pool, solvable->name)),
                .arch = arena_strdup(arena, pool_id2str(pool, solvable->arch)),
                .repository = pool_source(solvable)->repository,
                .size_bytes = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0),
                .installed_bytes = solvable_lookup_num(solvable, SOLVABLE_INSTALLSIZE, 0),
        };
        describe_evr(arena, pool_id2str(pool, solvable->evr), package);
        package_describe_words(packages, id, package);
        if (!describe_location(packages, solvable, package, err))
                return false;
        if (strchr(package->nevra, '/')) // it becomes a file's name
                return fail(err, ERR_CORRUPT, 0, "repository %s: %s is not a package's name", package->repository->name,
                            package->nevra);
        return describe_checksum(packages, solvable, package, err);
}

struct package *package_described(const struct packages *packages, Id id) {
        if ((size_t)id >= packages->described_count)
                return NULL;
        return packages->described[id];
}

void package_describe_as(struct packages *packages, Id id, struct package *package) {
        assert(id > 0 && !package_described(packages, id));
        size_t needed = (size_t)packages->pool->nsolvables;
        if (packages->described_count < needed) {
                packages->described = xrealloc(packages->described, needed * sizeof *packages->described);
                memset(packages->described + packages->described_count, 0,
                       (needed - packages->described_count) * sizeof *packages->described);
                packages->described_count = needed;
        }
        packages->described[id] = package;
}

bool package_describe(struct packages *packages, Id id, struct package **ret, struct err *err) {
        assert(id > 0 && id < packages->pool->nsolvables);
        struct package *package = package_described(packages, id);
        if (!package) {
                package = arena_alloc(&packages->arena, sizeof *package);
                if (!describe_solvable(packages, id, package, err))
                        return false;
                package_describe_as(packages, id, package);
        }
        *ret = package;
        return true;
}

int package_compare_evr(const char *left, const char *right) {
        Pool *pool = pool_create(); // says only which distribution's rules hold
        pool_setdisttype(pool, DISTTYPE_RPM);
        int order = pool_evrcmp_str(pool, left, right, EVRCMP_COMPARE);
        pool_free(pool);
        return order;
}
