// SPDX-License-Identifier: MIT
#include "packages/packages.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/fetch/transfer.h"
#include "packages/metadata/source.h"
#include "packages/solve/groups.h"
#include "packages/solve/pool.h"
#include "profile/profile.h"

static bool check_replacements(const struct release *release, const struct packages_options *options, struct err *err) {
        for (const char *const *item = options->replace; item && *item; item++) {
                size_t length = strcspn(*item, "=");
                bool found = false;
                auto_buf names = { 0 };
                if (!(*item)[length] || !(*item)[length + 1])
                        return fail(err, ERR_USAGE, 0, "--repo %s is not NAME=URL", *item);
                for (size_t i = 0; i < release->repository_count; i++) {
                        const char *name = release->repositories[i].name;
                        found |= strlen(name) == length && strncmp(name, *item, length) == 0;
                        buf_printf(&names, "%s%s", i ? ", " : "", name);
                }
                if (found)
                        continue;
                fail(err, ERR_REFERENCE, 0, "--repo %s: release %s has no repository `%.*s`", *item, release->name,
                     (int)length, *item);
                return hint(err, "its repositories are: %s", buf_text(&names));
        }
        return true;
}

static bool open_all(struct packages *packages, struct err *err) {
        const struct release *release = packages->release;
        packages->sources = xcalloc(release->repository_count + 1, sizeof *packages->sources);
        for (size_t i = 0; i < release->repository_count; i++) {
                packages->source_count++;
                if (!source_open(&packages->sources[i], &release->repositories[i], release, &packages->options,
                                 &packages->arena, err))
                        return false;
        }
        return pool_open(packages, err);
}

bool packages_open(const struct release *release, const struct packages_options *options, struct packages **ret,
                   struct err *err) {
        if (!check_replacements(release, options, err))
                return false;
        struct packages *packages = xcalloc(1, sizeof *packages);
        packages->release = release;
        packages->options = *options;
        if (!open_all(packages, err)) {
                packages_close(packages);
                return false;
        }
        *ret = packages;
        return true;
}

void packages_close(struct packages *packages) {
        if (!packages)
                return;
        transfers_hang_up();
        pool_close(packages);
        groups_free(packages->groups);
        for (size_t i = 0; i < packages->source_count; i++)
                source_close(&packages->sources[i]);
        free(packages->sources);
        arena_release(&packages->arena);
        free(packages);
}

void package_set_digest(const struct package_set *set, char ret_hex[static 65]) {
        struct digest *digest = digest_new("sha256");
        char hex[DIGEST_HEX_SIZE];
        for (size_t i = 0; i < set->count; i++) {
                digest_update(digest, set->items[i].nevra, strlen(set->items[i].nevra) + 1);
                digest_update(digest, set->items[i].checksum, strlen(set->items[i].checksum) + 1);
        }
        digest_final(digest, hex);
        memcpy(ret_hex, hex, 65);
}
