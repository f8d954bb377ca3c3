#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/lock.h"
#include "base/mem.h"
#include "packages/internal.h"

// What was fetched and is not yet known to be good.
#define PENDING ".new"

enum { REPOMD_MAX = 4 << 20, METADATA_MAX = 1 << 30, LIST_MAX = 1 << 20 };

static void add_url(struct source *source, const char *url) {
        *array_append(&source->urls.items, &source->urls.count) = arena_strdup(source->arena, url);
}

static bool unreachable(const struct source *source, struct err *err) {
        wrap(err, "repository %s", source->repository->name);
        return hint(err, "use a mirror with --repo %s=URL, or --offline to work from the cache",
                    source->repository->name);
}

// Fetches a small file without a known checksum into the repository's cache directory, or finds it there when offline.
static bool fetch_small(struct source *source, const struct strings *urls, const char *file, const char *path,
                        bool missing_ok, bool *ret_missing, struct err *err) {
        auto_free char *name = xasprintf("%s of %s", file, source->repository->name);
        if (source->options->offline) {
                *ret_missing = !fs_exists(AT_FDCWD, path);
                if (!*ret_missing || missing_ok)
                        return true;
                fail(err, ERR_NETWORK, 0, "%s is not in the cache %s, and --offline forbids to fetch it", name,
                     source->options->cache);
                return hint(err, "build once without --offline, or name a local copy with --repo %s=DIRECTORY",
                            source->repository->name);
        }
        struct transfer transfer = {
                .name = name,
                .urls = urls->items,
                .url_count = urls->count,
                .path = path,
                .max_bytes = REPOMD_MAX,
                .missing_ok = missing_ok,
        };
        if (!transfers_run(&transfer, 1, NULL, err))
                return err->kind == ERR_NETWORK ? unreachable(source, err) : false;
        *ret_missing = transfer.missing;
        return true;
}

// A mirror list is one URL a line; comments and XML (metalink) are not URLs.
static bool read_mirrorlist(struct source *source, const char *url, struct err *err) {
        auto_free char *local = url_local_path(url);
        auto_free char *path = local ? take_ptr(local) : xasprintf("%s/mirrorlist", source->dir);
        auto_buf text = { .max = LIST_MAX };
        struct strings urls = { &url, 1 };
        bool missing = false;
        if (strncmp(url, "file://", 7) != 0 && !fetch_small(source, &urls, "mirrorlist", path, false, &missing, err))
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
        return source->urls.count > before ||
               fail(err, ERR_NETWORK, 0, "mirror list %s of %s holds no URL", url, source->repository->name);
}

static void choose_dir(struct source *source, const char *first_url) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", first_url, strlen(first_url), hex);
        source->dir = arena_printf(source->arena, "%s/repos/%.16s", source->options->cache, hex);
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

// The first base URL on this machine that holds the file; NULL if none does.
static char *find_local(const struct source *source, const char *location, bool *ret_any_local) {
        *ret_any_local = false;
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *url = url_join(source->urls.items[i], location);
                auto_free char *path = url_local_path(url);
                *ret_any_local |= path != NULL;
                if (path && access(path, F_OK) == 0)
                        return take_ptr(path);
        }
        return NULL;
}

static struct strings remote_urls(const struct source *source, const char *location) {
        struct strings urls = { 0 };
        for (size_t i = 0; i < source->urls.count; i++) {
                auto_free char *url = url_join(source->urls.items[i], location);
                if (strncmp(url, "file://", 7) == 0)
                        continue;
                *array_append(&urls.items, &urls.count) = arena_strdup(source->arena, url);
        }
        return urls;
}

// repomd.xml or its signature: where it is now. NULL in `ret_path` if there is none and that is allowed.
static bool locate_small(struct source *source, const char *file, bool missing_ok, char **ret_path, struct err *err) {
        auto_free char *location = xasprintf("repodata/%s", file);
        bool any_local = false;
        auto_free char *path = find_local(source, location, &any_local);
        struct strings urls = remote_urls(source, location);
        bool missing = !path;
        bool ok = true;
        auto_free char *cached = xasprintf("%s/%s", source->dir, file);
        if (!path && urls.count > 0) {
                path = source->options->offline ? take_ptr(cached) : xasprintf("%s" PENDING, cached);
                ok = fetch_small(source, &urls, file, path, missing_ok, &missing, err);
        } else if (!path && source->options->offline && fs_exists(AT_FDCWD, cached)) {
                path = take_ptr(cached); // `kiln fetch` kept it
                missing = false;
        } else if (!path && !missing_ok) {
                auto_free char *url = url_join(source->urls.items[0], location);
                fail(err, ERR_NETWORK, ENOENT, "%s", url);
                ok = unreachable(source, err);
        }
        free(urls.items);
        if (ok)
                *ret_path = missing ? NULL : take_ptr(path);
        return ok;
}

static bool check_repomd_signature(struct source *source, const char *path, struct err *err) {
        auto_free char *signature_path = NULL;
        auto_buf signature = { .max = 1 << 20 };
        auto_close int fd = -1;
        const struct keyring *keyring = NULL;
        if (!locate_small(source, "repomd.xml.asc", true, &signature_path, err))
                return false;
        if (!signature_path && source->options->pinned)
                return true; // an export; what it leads to is pinned by the lock's digests
        if (!signature_path)
                return fail(err, ERR_SIGNATURE, 0, "repository %s: repomd.xml is not signed: %s has no repomd.xml.asc",
                            source->repository->name, source->urls.items[0]) ||
                       hint(err, "set `repo_gpgcheck: false` if its metadata is never signed");
        auto_free char *subject = xasprintf("repository %s: repomd.xml", source->repository->name);
        source->signature_path = arena_strdup(source->arena, signature_path);
        return source_keys(source, &keyring, err) && fs_read(AT_FDCWD, signature_path, &signature, err) &&
               fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, err) &&
               keyring_verify_detached(keyring, subject, &signature, fd, err);
}

// The newest metadata ever taken from here, as seconds since 1970. Whoever can alter what a server answers could
// otherwise hold back updates by serving metadata of last year, signed as it is.
static bool check_age(struct source *source, struct err *err) {
        auto_free char *path = xasprintf("%s/newest", source->dir);
        auto_buf text = { .max = 64 << 10 };
        if (fs_exists(AT_FDCWD, path) && !fs_read(AT_FDCWD, path, &text, err))
                return false;
        int64_t newest = strtoll(buf_text(&text), NULL, 10);
        int64_t now = source->published;
        if (now == newest || now == 0)
                return true;
        if (now < newest && !source->options->allow_downgrade) {
                char dates[2][32];
                const time_t times[] = { (time_t)now, (time_t)newest };
                for (size_t i = 0; i < lengthof(times); i++) {
                        struct tm parts;
                        strftime(dates[i], sizeof dates[i], "%F %T", gmtime_r(&times[i], &parts));
                }
                fail(err, ERR_DOWNGRADE, 0,
                     "repository %s: its metadata is of %s UTC, older than that of %s UTC which it had before: a stale "
                     "mirror, or somebody who holds back updates",
                     source->repository->name, dates[0], dates[1]);
                return hint(err, "--allow-downgrade accepts it; --repo %s=URL takes another mirror",
                            source->repository->name);
        }
        auto_free char *line = xasprintf("%lld\n", (long long)now);
        return fs_write_atomic(AT_FDCWD, path, line, strlen(line), 0644, err);
}

// What was fetched is good: it takes the place of what was there. A signature that is gone takes its old file along.
static bool adopt(const struct source *source, const char *file, bool present, struct err *err) {
        auto_free char *path = xasprintf("%s/%s", source->dir, file);
        auto_free char *pending = xasprintf("%s" PENDING, path);
        if (!present)
                return unlink(path) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "remove %s", path);
        return rename(pending, path) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "rename %s", pending);
}

static bool load_repomd(struct source *source, struct err *err) {
        const struct repository *repository = source->repository;
        auto_free char *path = NULL;
        auto_buf bytes = { .max = REPOMD_MAX };
        if (!locate_small(source, "repomd.xml", false, &path, err))
                return false;
        if (!path)
                return fail(err, ERR_INTERNAL, 0, "repository %s has no repomd.xml", repository->name);
        if (!fs_read(AT_FDCWD, path, &bytes, err))
                return false;
        source->repomd_path = arena_strdup(source->arena, path);
        if (repository->check_metadata_signature && !check_repomd_signature(source, path, err))
                return false;
        if (!repomd_parse(source, buf_text(&bytes), bytes.size, err))
                return wrap(err, "repository %s", repository->name);
        if (!check_age(source, err))
                return false;
        size_t length = strlen(path);
        bool fetched = length > strlen(PENDING) && strcmp(path + length - strlen(PENDING), PENDING) == 0;
        if (!fetched)
                return true;
        source->repomd_path = arena_printf(source->arena, "%s/repomd.xml", source->dir);
        if (source->signature_path)
                source->signature_path = arena_printf(source->arena, "%s/repomd.xml.asc", source->dir);
        return adopt(source, "repomd.xml.asc", source->signature_path != NULL, err) &&
               adopt(source, "repomd.xml", true, err);
}

bool source_open(struct source *source, const struct repository *repository, const struct release *release,
                 const struct packages_options *options, struct arena *arena, struct err *err) {
        *source = (struct source){ .repository = repository, .release = release, .options = options, .arena = arena };
        auto_close int lock = -1; // repomd.xml and its signature change together
        if (!choose_urls(source, err) || !fs_mkdirs(AT_FDCWD, source->dir, 0755, err))
                return false;
        auto_free char *lock_path = xasprintf("%s/lock", source->dir);
        return lock_take(AT_FDCWD, lock_path, &lock, err) && load_repomd(source, err);
}

void source_close(struct source *source) {
        keyring_free(source->keyring);
        free(source->urls.items);
}

bool source_keys(struct source *source, const struct keyring **ret, struct err *err) {
        if (!source->keyring &&
            !keyring_load(source->repository, source->release, source->options, &source->keyring, err))
                return wrap(err, "repository %s", source->repository->name);
        *ret = source->keyring;
        return true;
}

static bool check_metadata(const struct source *source, const struct metadata_file *file, const char *path,
                           struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        if (!digest_file(file->checksum_type, AT_FDCWD, path, hex, err))
                return false;
        return strcmp(hex, file->checksum) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "repository %s: %s: %s is %s, repomd.xml says %s", source->repository->name,
                    path, file->checksum_type, hex, file->checksum);
}

static bool fetch_metadata(struct source *source, const char *what, const struct metadata_file *file, const char *path,
                           struct err *err) {
        auto_free char *name = xasprintf("%s of %s", what, source->repository->name);
        struct strings urls = remote_urls(source, file->location);
        struct transfer transfer = {
                .name = name,
                .urls = urls.items,
                .url_count = urls.count,
                .path = path,
                .checksum_type = file->checksum_type,
                .checksum = file->checksum,
                .size_bytes = file->size_bytes,
                .max_bytes = METADATA_MAX,
        };
        struct progress progress;
        progress_begin(&progress, name, "bytes", file->size_bytes);
        bool ok = transfers_run(&transfer, 1, &progress, err);
        progress_end(&progress);
        free(urls.items);
        return ok || (err->kind == ERR_NETWORK ? unreachable(source, err) : false);
}

const char *source_cached(const struct source *source, const struct metadata_file *file) {
        const char *base = strrchr(file->location, '/');
        return arena_printf(source->arena, "%s/%.16s-%s", source->dir, file->checksum,
                            base ? base + 1 : file->location);
}

bool source_metadata(struct source *source, const char *what, const struct metadata_file *file, const char **ret_path,
                     struct err *err) {
        bool any_local = false;
        auto_free char *local = find_local(source, file->location, &any_local);
        if (local) {
                *ret_path = arena_strdup(source->arena, local);
                return check_metadata(source, file, local, err);
        }
        struct strings urls = remote_urls(source, file->location);
        size_t remote_count = urls.count;
        free(urls.items);
        const char *cached = source_cached(source, file);
        auto_err damaged = { 0 };
        *ret_path = cached;
        if (fs_exists(AT_FDCWD, cached) && check_metadata(source, file, cached, &damaged))
                return true;
        if (source->options->offline || remote_count == 0) {
                auto_free char *url = url_join(source->urls.items[0], file->location);
                fail(err, ERR_NETWORK, any_local ? ENOENT : 0, "repository %s: %s %s", source->repository->name, url,
                     any_local ? "cannot be read" : "is not in the cache, and --offline forbids to fetch it");
                return hint(err, "use a complete copy with --repo %s=URL", source->repository->name);
        }
        return fetch_metadata(source, what, file, cached, err);
}
