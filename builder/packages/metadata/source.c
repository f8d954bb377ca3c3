// SPDX-License-Identifier: MIT
#include "packages/metadata/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/solv_file.h"
#include "packages/packages.h"
#include "packages/trust/keyring.h"
#include "profile/profile.h"

enum { SMALL_MAX = 4 << 20, LIST_MAX = 1 << 20, NAME_LENGTH = 16 };

static void add_base_url(struct source *source, const char *url) {
        *array_append(&source->urls.items, &source->urls.count) = arena_strdup(source->arena, url);
}

bool source_unreachable(const struct source *source, struct err *err) {
        wrap(err, "repository %s", source->repository->name);
        return hint(err, "use a mirror with --repo %s=URL, or --offline to work from the cache",
                    source->repository->name);
}

bool source_fetch_small(const struct source *source, const struct strings *urls, const char *file, const char *path,
                        bool missing_ok, struct transfer *ret, struct err *err) {
        auto_free char *name = xasprintf("%s of %s", file, source->repository->name);
        struct transfer transfer = {
                .name = name,
                .urls = urls->items,
                .url_count = urls->count,
                .path = path,
                .max_bytes = SMALL_MAX,
                .missing_ok = missing_ok,
        };
        if (!transfers_run(&transfer, 1, NULL, err)) {
                if (err->kind == ERR_NETWORK)
                        (void)source_unreachable(source, err);
                return false;
        }
        *ret = transfer;
        return true;
}

static bool fetch_mirrorlist(const struct source *source, const char *url, const char *path, struct err *err) {
        struct transfer ignored;
        if (!source->options->offline)
                return source_fetch_small(source, &(struct strings){ &url, 1 }, "mirrorlist", path, false, &ignored,
                                          err);
        if (fs_exists(AT_FDCWD, path))
                return true;
        fail(err, ERR_NETWORK, 0, "the mirror list of %s is not in the cache %s, and --offline forbids to fetch it",
             source->repository->name, cache_path(source->options->cache));
        return hint(err, "build once without --offline, or name a local copy with --repo %s=DIRECTORY",
                    source->repository->name);
}

static bool is_http_url(const char *text) {
        return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

// `ret_unknown`: the first variable of a URL that has no value, heap; such a URL is passed over.
static void add_mirror(struct source *source, const char *line, char **ret_unknown) {
        auto_free char *unknown = NULL;
        auto_free char *url = release_expand(source->release, line, &unknown);
        if (!unknown)
                add_base_url(source, url);
        else if (!*ret_unknown)
                *ret_unknown = take_ptr(unknown);
}

// A mirror list is one URL a line; comments and XML (metalink) are not URLs.
static void add_mirrors(struct source *source, char *text, char **ret_unknown) {
        char *line;
        while ((line = strsep(&text, "\n")) != NULL) {
                line[strcspn(line, " \t\r")] = '\0';
                if (is_http_url(line))
                        add_mirror(source, line, ret_unknown);
        }
}

static bool read_mirrorlist(struct source *source, const char *url, struct err *err) {
        auto_free char *path = url_local_path(url);
        auto_free char *unknown = NULL;
        auto_buf text = { .max = LIST_MAX };
        if (!path) {
                path = xasprintf("%s/mirrorlist", source->dir);
                if (!fetch_mirrorlist(source, url, path, err))
                        return false;
        }
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "mirror list of %s", source->repository->name);
        size_t before = source->urls.count;
        if (text.size > 0)
                add_mirrors(source, text.data, &unknown);
        if (source->urls.count > before)
                return true;
        auto_free char *shown = url_shown(url);
        if (unknown)
                return fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL but with `$%s`, which has no value",
                            shown, source->repository->name, unknown);
        return fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL", shown, source->repository->name);
}

static void choose_dir(struct source *source, const char *first_url) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", first_url, strlen(first_url), hex);
        source->name = arena_strndup(source->arena, hex, NAME_LENGTH);
        auto_free char *path = cache_entry(source->options->cache, CACHE_REPOS, source->name);
        source->dir = arena_strdup(source->arena, path);
}

// The base URL that --repo gave takes the place of all others.
static bool choose_urls(struct source *source, struct err *err) {
        const struct repository *repository = source->repository;
        const char *replacement = url_replacement(source->options->replace, repository->name);
        if (replacement) {
                auto_free char *url = url_from_user(replacement);
                add_base_url(source, url);
                choose_dir(source, url);
                return true;
        }
        for (size_t i = 0; i < repository->base_urls.count; i++)
                add_base_url(source, repository->base_urls.items[i]);
        const char *first = repository->mirrorlist;
        if (source->urls.count > 0)
                first = source->urls.items[0];
        if (!first)
                return fail(err, ERR_REFERENCE, 0, "repository %s has no base URL", repository->name);
        choose_dir(source, first);
        return !repository->mirrorlist || read_mirrorlist(source, repository->mirrorlist, err);
}

char *source_find_local(const struct source *source, const char *location, bool *ret_any_local) {
        *ret_any_local = false;
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *path = url_local_file(source->urls.items[i], location);
                if (!path)
                        continue;
                *ret_any_local = true;
                if (access(path, F_OK) == 0)
                        return take_ptr(path);
        }
        return NULL;
}

struct strings source_remote_urls(const struct source *source, const char *location) {
        struct strings urls = { 0 };
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *url = url_join(source->urls.items[i], location);
                if (strncmp(url, "file://", 7) == 0)
                        continue;
                *array_append(&urls.items, &urls.count) = arena_strdup(source->arena, url);
        }
        return urls;
}

bool source_open(struct source *source, const struct repository *repository, const struct release *release,
                 const struct packages_options *options, struct arena *arena, struct err *err) {
        assert(options->cache);
        *source = (struct source){ .repository = repository, .release = release, .options = options, .arena = arena };
        return choose_urls(source, err) && fs_mkdirs(AT_FDCWD, source->dir, 0755, err);
}

void source_close(struct source *source) {
        solv_cache_wait(&source->writer);
        keyring_free(source->keyring);
        free(source->urls.items);
        buf_release(&source->repomd);
        buf_release(&source->signature);
}

bool source_keys(struct source *source, const struct keyring **ret, struct err *err) {
        if (!source->keyring &&
            !keyring_load(source->repository, source->release, source->options, &source->keyring, err))
                return wrap(err, "repository %s", source->repository->name);
        *ret = source->keyring;
        return true;
}
