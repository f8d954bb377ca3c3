// SPDX-License-Identifier: MIT
#include "packages/metadata/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache/lock.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/repomd_fetch.h"
#include "packages/metadata/solv_file.h"
#include "packages/packages.h"
#include "packages/trust/keyring.h"
#include "profile/profile.h"

enum { SMALL_MAX = 4 << 20, LIST_MAX = 1 << 20, NAME_LENGTH = 16 };

static void add_url(struct source *source, const char *url) {
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
        if (!transfers_run(&transfer, 1, NULL, err))
                return err->kind == ERR_NETWORK ? source_unreachable(source, err) : false;
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

// A mirror list is one URL a line; comments and XML (metalink) are not URLs.
static bool read_mirrorlist(struct source *source, const char *url, struct err *err) {
        auto_free char *local = url_local_path(url);
        auto_free char *path = local ? take_ptr(local) : xasprintf("%s/mirrorlist", source->dir);
        auto_buf text = { .max = LIST_MAX };
        if (strncmp(url, "file://", 7) != 0 && !fetch_mirrorlist(source, url, path, err))
                return false;
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "mirror list of %s", source->repository->name);
        size_t before = source->urls.count;
        char *rest = text.data;
        for (char *line; rest && (line = strsep(&rest, "\n"));) {
                line[strcspn(line, " \t\r")] = '\0';
                if (strncmp(line, "http://", 7) != 0 && strncmp(line, "https://", 8) != 0)
                        continue;
                char *variable = strstr(line, "$basearch");
                auto_free char *whole = variable ? xasprintf("%.*s%s%s", (int)(variable - line), line,
                                                             source->release->arch, variable + strlen("$basearch"))
                                                 : xstrdup(line);
                add_url(source, whole);
        }
        auto_free char *shown = url_shown(url);
        return source->urls.count > before ||
               fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL", shown, source->repository->name);
}

static void choose_dir(struct source *source, const char *first_url) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", first_url, strlen(first_url), hex);
        source->name = arena_strndup(source->arena, hex, NAME_LENGTH);
        auto_free char *path = cache_entry(source->options->cache, CACHE_REPOS, source->name);
        source->dir = arena_strdup(source->arena, path);
}

static bool choose_urls(struct source *source, struct err *err) {
        const struct repository *repository = source->repository;
        const char *replacement = url_replacement(source->options, repository->name);
        if (replacement) {
                auto_free char *url = url_from_user(replacement);
                add_url(source, url);
        } else {
                for (size_t i = 0; i < repository->base_urls.count; i++)
                        add_url(source, repository->base_urls.items[i]);
        }
        const char *mirrorlist = replacement ? NULL : repository->mirrorlist;
        if (source->urls.count == 0 && !mirrorlist)
                return fail(err, ERR_REFERENCE, 0, "repository %s has no base URL", repository->name);
        choose_dir(source, source->urls.count ? source->urls.items[0] : mirrorlist);
        return !mirrorlist || read_mirrorlist(source, mirrorlist, err);
}

char *source_find_local(const struct source *source, const char *location, bool *ret_any_local) {
        *ret_any_local = false;
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *path = url_local_file(source->urls.items[i], location);
                *ret_any_local |= path != NULL;
                if (path && access(path, F_OK) == 0)
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

// What repomd.xml lists is needed, also where this run does not open it: a build without a network may have to.
static void note_files(const struct source *source) {
        const struct metadata_file *files[] = { &source->primary, &source->filelists, &source->group };
        for (size_t i = 0; i < lengthof(files); i++) {
                if (!files[i]->location)
                        continue;
                auto_free char *start = xstrndup(files[i]->checksum, NAME_LENGTH);
                cache_note_part(source->options->cache, CACHE_REPOS, source->name, start);
        }
}

bool source_open(struct source *source, const struct repository *repository, const struct release *release,
                 const struct packages_options *options, struct arena *arena, struct err *err) {
        *source = (struct source){ .repository = repository, .release = release, .options = options, .arena = arena };
        auto_close int lock = -1; // repomd.xml and its signature change together
        if (!choose_urls(source, err) || !fs_mkdirs(AT_FDCWD, source->dir, 0755, err))
                return false;
        auto_free char *lock_path = xasprintf("%s/lock", source->dir);
        if (!lock_take(AT_FDCWD, lock_path, &lock, err) || !source_announcement(source, err))
                return false;
        note_files(source);
        return true;
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
