// SPDX-License-Identifier: MIT
#include "packages/packages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/authentic.h"
#include "packages/metadata/repomd_fetch.h"
#include "packages/metadata/source.h"
#include "packages/solve/groups.h"
#include "packages/solve/pool.h"
#include "profile/profile.h"

static bool fail_for_replacement(const struct release *release, const char *item, struct err *err) {
        auto_buf names = { 0 };
        const char *separator = "";
        for (size_t i = 0; i < release->repository_count; i++) {
                buf_printf(&names, "%s%s", separator, release->repositories[i].name);
                separator = ", ";
        }
        fail(err, ERR_REFERENCE, 0, "--repo %s: release %s has no repository `%.*s`", item, release->name,
             (int)strcspn(item, "="), item);
        return hint(err, "its repositories are: %s", buf_text(&names));
}

static bool has_repository(const struct release *release, const char *name, size_t length) {
        for (size_t i = 0; i < release->repository_count; i++) {
                const char *known = release->repositories[i].name;
                if (strlen(known) == length && strncmp(known, name, length) == 0)
                        return true;
        }
        return false;
}

static bool check_replacements(const struct release *release, const struct packages_options *options, struct err *err) {
        for (const char *const *item = options->replace; item && *item; item++) {
                size_t length = strcspn(*item, "=");
                if (!(*item)[length] || !(*item)[length + 1])
                        return fail(err, ERR_USAGE, 0, "--repo %s is not NAME=URL", *item);
                if (!has_repository(release, *item, length))
                        return fail_for_replacement(release, *item, err);
        }
        return true;
}

// The same with the release's variables filled in.
static bool expand_replacements(struct packages *packages, struct err *err) {
        struct strings expanded = { 0 };
        for (const char *const *item = packages->options.replace; item && *item; item++) {
                auto_free char *unknown = NULL;
                auto_free char *text = release_expand(packages->release, *item, &unknown);
                *array_append(&expanded.items, &expanded.count) = arena_strdup(&packages->arena, text);
                if (unknown) {
                        free(expanded.items);
                        return fail(err, ERR_USAGE, 0, "--repo %s: `$%s` has no value", *item, unknown);
                }
        }
        size_t size = (expanded.count + 1) * sizeof *expanded.items;
        const char **list = arena_alloc(&packages->arena, size);
        for (size_t i = 0; i < expanded.count; i++)
                list[i] = expanded.items[i];
        list[expanded.count] = NULL;
        free(expanded.items);
        packages->options.replace = list;
        return true;
}

static void warn_of_absent(const struct source *source) {
        auto_free char *path = url_local_path(source->urls.items[0]);
        warning("repository %s is passed over: %s is not there; --repo %s=DIRECTORY says where it is",
                source->repository->name, path, source->repository->name);
}

static bool open_sources(struct packages *packages, struct err *err) {
        const struct release *release = packages->release;
        packages->sources = xcalloc(release->repository_count + 1, sizeof *packages->sources);
        for (size_t i = 0; i < release->repository_count; i++) {
                packages->source_count++;
                struct source *source = &packages->sources[i];
                if (!source_open(source, &release->repositories[i], release, &packages->options, &packages->arena, err))
                        return false;
                if (source_look_if_absent(source)) {
                        warn_of_absent(source);
                        continue;
                }
                if (!repomd_fetch(source, err))
                        return false;
                authentic_warn(source);
        }
        return true;
}

bool packages_open(const struct release *release, const struct packages_options *options, struct packages **ret,
                   struct err *err) {
        assert(options->cache);
        if (!check_replacements(release, options, err))
                return false;
        struct packages *packages = xcalloc(1, sizeof *packages);
        packages->release = release;
        packages->options = *options;
        if (!expand_replacements(packages, err) || !open_sources(packages, err) || !pool_open(packages, err)) {
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
                digest_update(digest, set->items[i]->nevra, strlen(set->items[i]->nevra) + 1);
                digest_update(digest, set->items[i]->checksum, strlen(set->items[i]->checksum) + 1);
        }
        digest_final(digest, hex);
        memcpy(ret_hex, hex, 65);
}
