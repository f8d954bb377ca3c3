// SPDX-License-Identifier: MIT
// Reading release files.
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/fs.h"
#include "base/mistake.h"
#include "profile/checks/checks.h"
#include "profile/internal.h"
#include "profile/reader/paths.h"

// A URL stays, a path becomes absolute (and, for repositories, a file:// URL).
static const char *read_location(struct loader *loader, const char *file, const char *location, bool as_url,
                                 const struct place *place) {
        static const char *const schemes[] = { "http://", "https://", "file://" };
        for (size_t i = 0; i < lengthof(schemes); i++)
                if (strncmp(location, schemes[i], strlen(schemes[i])) == 0)
                        return location;
        const char *colon = strstr(location, "://");
        if (colon) {
                report(loader->diagnostics, ERR_SCHEMA, place, "`%.*s` URLs are not supported: %s",
                       (int)(colon - location), location, location);
                report_hint(loader->diagnostics, "use http, https or file");
                return location;
        }
        const char *absolute = path_absolute(loader->arena, file, location);
        if (!as_url)
                return absolute;
        auto_free char *url = fs_file_url(absolute);
        return arena_strdup(loader->arena, url);
}

// `location` with the variables of the release; as it is after a report.
static const char *expand_location(struct loader *loader, const struct release *release, const char *location,
                                   const struct place *place) {
        auto_free char *unknown = NULL;
        auto_free char *expanded = release_expand(release, location, &unknown);
        if (!unknown)
                return arena_strdup(loader->arena, expanded);
        report(loader->diagnostics, ERR_SCHEMA, place, "`$%s` has no value: %s", unknown, location);
        if (strcmp(unknown, "releasever") == 0)
                report_hint(loader->diagnostics, "add `releasever` to the release file, as `releasever: \"9\"`");
        else
                report_hint(loader->diagnostics,
                            "$arch, $basearch and $releasever are known; write the value of any other (%%24 is a `$`)");
        return location;
}

static const char *normal_fingerprint(struct arena *arena, const char *text) {
        char *normal = arena_strdup(arena, text), *to = normal;
        for (const char *from = text; *from; from++)
                if (*from != ' ')
                        *to++ = (char)toupper((unsigned char)*from);
        *to = '\0';
        return normal;
}

// Whoever can answer in a server's place can send a key of his own, so the right one must be known by its fingerprint.
static void check_key_urls(struct loader *loader, const struct value *row, const struct repository *repository) {
        for (size_t i = 0; i < repository->keys.count && repository->fingerprints.count == 0; i++) {
                if (strncmp(repository->keys.items[i], "http", 4) != 0)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "gpgkeys"),
                       "a key from the network needs `fingerprints` to be known by: %s", repository->keys.items[i]);
                report_hint(loader->diagnostics,
                            "give the fingerprint that its owner publishes, or a file with the key");
                return;
        }
}

static void expand_locations(struct loader *loader, const struct release *release, const struct value *row,
                             struct repository *repository) {
        for (size_t i = 0; i < repository->base_urls.count; i++)
                repository->base_urls.items[i] =
                    expand_location(loader, release, repository->base_urls.items[i], schema_place(row, "baseurl"));
        for (size_t i = 0; i < repository->keys.count; i++)
                repository->keys.items[i] =
                    expand_location(loader, release, repository->keys.items[i], schema_place(row, "gpgkeys"));
        if (repository->mirrorlist)
                repository->mirrorlist =
                    expand_location(loader, release, repository->mirrorlist, schema_place(row, "mirrorlist"));
        if (repository->metalink)
                repository->metalink =
                    expand_location(loader, release, repository->metalink, schema_place(row, "metalink"));
}

static void finish_repository(struct loader *loader, const char *path, const struct value *row,
                              struct repository *repository) {
        const struct place *urls = schema_place(row, "baseurl"), *keys = schema_place(row, "gpgkeys");
        for (size_t i = 0; i < repository->base_urls.count; i++)
                repository->base_urls.items[i] =
                    read_location(loader, path, repository->base_urls.items[i], true, urls);
        for (size_t i = 0; i < repository->keys.count; i++)
                repository->keys.items[i] = read_location(loader, path, repository->keys.items[i], false, keys);
        for (size_t i = 0; i < repository->fingerprints.count; i++)
                repository->fingerprints.items[i] =
                    normal_fingerprint(loader->arena, repository->fingerprints.items[i]);
        if (repository->mirrorlist)
                repository->mirrorlist =
                    read_location(loader, path, repository->mirrorlist, true, schema_place(row, "mirrorlist"));
        if (repository->metalink)
                repository->metalink =
                    read_location(loader, path, repository->metalink, true, schema_place(row, "metalink"));
        if (repository->base_urls.count == 0 && !repository->mirrorlist && !repository->metalink)
                report(loader->diagnostics, ERR_SCHEMA, &repository->place,
                       "repository `%s` needs `baseurl`, `mirrorlist` or `metalink`", repository->name);
        bool needs_keys = repository->trust == TRUST_SIGNATURE || repository->check_metadata_signature;
        if (needs_keys && repository->keys.count == 0) {
                report(loader->diagnostics, ERR_SCHEMA, &repository->place,
                       "repository `%s` has no `gpgkeys` to check signatures with", repository->name);
                report_hint(loader->diagnostics,
                            "give `gpgkeys`, or `trust: digest` if the metadata's digests are enough");
        }
        check_key_urls(loader, row, repository);
}

static void check_repositories(struct loader *loader, const struct value *tree, const struct release *release) {
        const struct value *rows = value_get(tree, "repositories");
        if (rows && rows->type == VALUE_LIST && rows->count == 0)
                report(loader->diagnostics, ERR_SCHEMA, &rows->place,
                       "`repositories` is empty: no package can come from anywhere");
        for (size_t i = 0; i < release->repository_count; i++) {
                const char *name = release->repositories[i].name;
                for (size_t j = 0; j < i; j++) {
                        if (!name[0] || strcmp(release->repositories[j].name, name) != 0)
                                continue;
                        assert(rows); // the repositories were read from it
                        report(loader->diagnostics, ERR_DUPLICATE, schema_place(rows->items[i], "name"),
                               "two repositories are called `%s`", name);
                        report_hint(loader->diagnostics, "the other one is at %s",
                                    place_text(loader->arena, &release->repositories[j].place));
                        break;
                }
        }
}

static void check_squashfs(struct loader *loader, const struct value *tree, const struct release *release) {
        static const struct {
                const char *compressor;
                int level_max;
        } limits[] = { { "gzip", 12 }, { "xz", 9 }, { "zstd", 22 } };
        const struct value *part = value_get(tree, "squashfs");
        uint32_t block = release->squashfs_block_bytes;
        if (block & (block - 1))
                report(loader->diagnostics, ERR_SCHEMA, schema_place(part, "block_size"),
                       "`block_size` must be a power of two, not %u", block);
        for (size_t i = 0; i < lengthof(limits); i++)
                if (strcmp(limits[i].compressor, release->squashfs_compressor) == 0 &&
                    release->squashfs_level > limits[i].level_max)
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(part, "level"),
                               "`level` of %s must be from 1 to %d, not %d", limits[i].compressor, limits[i].level_max,
                               release->squashfs_level);
}

// The star is the kernel's version, which names its modules' directory and tells the newest of several kernels.
static void check_kernel(struct loader *loader, const struct value *tree, const struct release *release) {
        const char *image = release->kernel_image;
        if (!image)
                return;
        const char *star = strchr(image, '*');
        bool has_one_star = star && !strchr(star + 1, '*');
        if (has_one_star && !strpbrk(image, "?["))
                return;
        report(loader->diagnostics, ERR_SCHEMA, schema_place(value_get(tree, "kernel"), "image"),
               "`image` must have exactly one `*`, and no other glob, where the kernel's version is: %s", image);
        report_hint(loader->diagnostics, "/boot/vmlinuz-* is where most distributions have it");
}

// A release for roots that nobody boots says so as it says of any other package: `package_names: {kernel: null}`.
static void drop_kernel(struct release *release) {
        const struct value *name = value_get(release->package_names, release->kernel_package);
        if (name && name->type == VALUE_NULL)
                release->kernel_package = "";
}

bool release_read(struct loader *loader, const char *path, const struct place *from, struct release *ret) {
        struct value *tree = loader_read(loader, path, from);
        if (!tree)
                return false;
        schema_read(&loader->reader, &release_schema, tree, ret);
        ret->tree = tree;
        if (tree->type != VALUE_MAP)
                return false;
        ret->name = path_stem(loader->arena, path);
        ret->path = arena_strdup(loader->arena, path);
        struct value *empty = value_map(loader->arena);
        if (!ret->package_names)
                ret->package_names = empty;
        if (!ret->service_names)
                ret->service_names = empty;
        if (!ret->variables)
                ret->variables = empty;
        drop_kernel(ret);
        const struct value *rows = value_get(tree, "repositories");
        for (size_t i = 0; i < ret->repository_count; i++)
                if (rows->items[i]->type == VALUE_MAP) {
                        expand_locations(loader, ret, rows->items[i], &ret->repositories[i]);
                        finish_repository(loader, path, rows->items[i], &ret->repositories[i]);
                }
        check_repositories(loader, tree, ret);
        check_squashfs(loader, tree, ret);
        check_kernel(loader, tree, ret);
        check_arguments(loader, value_get(tree, "kernel_arguments"));
        return true;
}

bool release_load(const char *path, struct arena *arena, struct release *ret, struct err *err) {
        auto_diagnostics diagnostics = { .arena = arena };
        struct loader loader = { arena, &diagnostics, { arena, &diagnostics }, NULL, { 0 } };
        struct release release = { 0 };
        release_read(&loader, path, NULL, &release);
        free(loader.inputs.items);
        if (!diagnostics_finish(&diagnostics, err))
                return false;
        *ret = release;
        return true;
}
