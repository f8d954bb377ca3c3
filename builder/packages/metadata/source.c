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
#include "cache/lock.h"
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

// A list of mirrors: where it is, and how messages call it.
struct list {
        const char *file; // in the cache
        const char *what;
        const char *url;
        bool (*add)(struct source *source, const struct list *list, struct buf *text, struct err *err);
};

static bool fetch_list(const struct source *source, const struct list *list, const char *path, bool *ret_fetched,
                       struct err *err) {
        struct transfer ignored;
        *ret_fetched = !source->options->offline;
        auto_free char *pending = xasprintf("%s.new", path);
        if (*ret_fetched)
                return source_fetch_small(source, &(struct strings){ (const char **)&list->url, 1 }, list->file,
                                          pending, false, &ignored, err);
        if (fs_exists(AT_FDCWD, path))
                return true;
        fail(err, ERR_NETWORK, 0, "the %s of %s is not in the cache %s, and --offline forbids to fetch it", list->what,
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

// A mirror list is one URL a line; comments are not URLs.
static void add_mirrors(struct source *source, char *text, char **ret_unknown) {
        char *line;
        while ((line = strsep(&text, "\n")) != NULL) {
                line[strcspn(line, " \t\r")] = '\0';
                if (is_http_url(line))
                        add_mirror(source, line, ret_unknown);
        }
}

static bool add_metalink(struct source *source, const struct list *list, struct buf *text, struct err *err) {
        struct metalink metalink = { 0 };
        if (!metalink_parse(buf_text(text), text->size, source->arena, &metalink, err)) {
                auto_free char *shown = url_shown(list->url);
                wrap(err, "metalink %s of %s", shown, source->repository->name);
                return hint(err, "use a mirror with --repo %s=URL, or `baseurl` instead of it",
                            source->repository->name);
        }
        metalink_release(&source->metalink); // a list of another kind may have been one, too
        source->metalink = metalink;
        source->metalink_url = arena_strdup(source->arena, list->url);
        for (size_t i = 0; i < source->metalink.urls.count; i++)
                add_base_url(source, source->metalink.urls.items[i]);
        return true;
}

// Some write the URL of a metalink behind `mirrorlist`, as yum lets them.
static bool add_mirrorlist(struct source *source, const struct list *list, struct buf *text, struct err *err) {
        auto_free char *unknown = NULL;
        size_t before = source->urls.count;
        if (metalink_is_likely(buf_text(text)))
                return add_metalink(source, list, text, err);
        if (text->size > 0)
                add_mirrors(source, text->data, &unknown);
        if (source->urls.count > before)
                return true;
        auto_free char *shown = url_shown(list->url);
        if (unknown)
                return fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL but with `$%s`, which has no value",
                            shown, source->repository->name, unknown);
        return fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL", shown, source->repository->name);
}

bool source_lock(const struct source *source, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/lock", source->dir);
        return fs_mkdirs(AT_FDCWD, source->dir, 0755, err) && lock_take(AT_FDCWD, path, ret_fd, err);
}

// A list that cannot be used takes the place of none that could.
static bool read_list(struct source *source, const struct list *list, struct err *err) {
        auto_close int lock = -1;
        auto_free char *local = url_local_path(list->url);
        auto_free char *path = xasprintf("%s/%s", source->dir, list->file);
        auto_free char *pending = xasprintf("%s.new", path);
        auto_buf text = { .max = LIST_MAX };
        const char *from = local;
        bool fetched = false;
        if (!local && (!source_lock(source, &lock, err) || !fetch_list(source, list, path, &fetched, err)))
                return false;
        if (fetched)
                from = pending;
        else if (!local)
                from = path;
        if (!fs_read(AT_FDCWD, from, &text, err))
                return wrap(err, "%s of %s", list->what, source->repository->name);
        if (!list->add(source, list, &text, err))
                return false;
        if (fetched && rename(pending, path) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename %s", pending);
        return true;
}

static bool read_lists(struct source *source, struct err *err) {
        const struct list lists[] = {
                { "metalink", "metalink", source->repository->metalink, add_metalink },
                { "mirrorlist", "mirror list", source->repository->mirrorlist, add_mirrorlist },
        };
        for (size_t i = 0; i < lengthof(lists); i++)
                if (lists[i].url && !read_list(source, &lists[i], err))
                        return false;
        return true;
}

static void choose_dir(struct source *source, const char *first_url) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", first_url, strlen(first_url), hex);
        source->name = arena_strndup(source->arena, hex, NAME_LENGTH);
        auto_free char *path = cache_entry(source->options->cache, CACHE_REPOS, source->name);
        source->dir = arena_strdup(source->arena, path);
}

// https://mirrors.example.org/metalink?repo=os, or a file with one of the names that such files have.
static bool is_metalink_url(const char *url) {
        static const char *const ends[] = { "/metalink", "/metalink.xml", ".metalink", ".meta4" };
        size_t length = strcspn(url, "?#");
        for (size_t i = 0; i < lengthof(ends); i++) {
                size_t end = strlen(ends[i]);
                if (length > end && strncmp(url + length - end, ends[i], end) == 0)
                        return true;
        }
        return false;
}

static bool use_replacement(struct source *source, const char *url, struct err *err) {
        choose_dir(source, url);
        if (is_metalink_url(url))
                return read_list(source, &(struct list){ "metalink", "metalink", url, add_metalink }, err);
        add_base_url(source, url);
        return true;
}

// The base URL that --repo gave takes the place of all others.
static bool choose_urls(struct source *source, struct err *err) {
        const struct repository *repository = source->repository;
        const char *replacement = url_replacement(source->options->replace, repository->name);
        if (replacement) {
                auto_free char *url = url_from_user(replacement);
                return use_replacement(source, url, err);
        }
        for (size_t i = 0; i < repository->base_urls.count; i++)
                add_base_url(source, repository->base_urls.items[i]);
        const char *first = text_or(repository->metalink, repository->mirrorlist);
        if (source->urls.count > 0)
                first = source->urls.items[0];
        if (!first)
                return fail(err, ERR_REFERENCE, 0, "repository %s has no base URL", repository->name);
        choose_dir(source, first);
        return read_lists(source, err);
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

// What --repo names is meant to be there.
static bool may_be_absent(const struct source *source) {
        const struct repository *repository = source->repository;
        bool is_listed = repository->metalink || repository->mirrorlist;
        bool is_named = url_replacement(source->options->replace, repository->name) != NULL;
        return repository->skip_if_unavailable && !is_listed && !is_named;
}

bool source_look_if_absent(struct source *source) {
        auto_free char *kept = xasprintf("%s/repomd.xml", source->dir);
        bool is_kept = source->options->offline && fs_exists(AT_FDCWD, kept);
        if (!may_be_absent(source) || is_kept)
                return false;
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *path = url_local_path(source->urls.items[i]);
                if (!path || fs_exists(AT_FDCWD, path))
                        return false;
        }
        source->is_absent = true;
        return true;
}

void source_close(struct source *source) {
        solv_cache_wait(&source->writer);
        keyring_free(source->keyring);
        free(source->urls.items);
        metalink_release(&source->metalink);
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
