// SPDX-License-Identifier: MIT
// What a repository announces: repomd.xml and its signature, from the first mirror whose announcement is good. A mirror
// that is stale, damaged or wrongly signed is passed over as long as there is another.
#include "packages/metadata/repomd_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/repomd.h"
#include "packages/metadata/source.h"
#include "packages/trust/keyring.h"

// What was fetched and is not yet known to be good.
#define PENDING ".new"

enum { REPOMD_MAX = 4 << 20 };

// One try: what a mirror, or the cache, has.
struct announcement {
        struct source *source;
        bool *refused; // by URL: mirrors whose announcement was no good
        ssize_t url;   // index of the mirror; -1: it came from the cache
        bool fetched;  // through the network, to NAME.new in the cache
        bool has_signature;
};

static char *cached_path(const struct source *source, const char *file, bool pending) {
        return xasprintf("%s/%s%s", source->dir, file, pending ? PENDING : "");
}

// Mirrors on this machine come first: they cost nothing.
static bool read_local(struct announcement *from, const char *location, struct buf *ret, bool *ret_found,
                       struct err *err) {
        const struct source *source = from->source;
        for (size_t i = 0; i < source->urls.count; i++) {
                if (from->refused[i] || (from->url >= 0 && from->url != (ssize_t)i))
                        continue;
                auto_free char *path = url_local_file(source->urls.items[i], location);
                if (!path || access(path, F_OK) < 0)
                        continue;
                from->url = (ssize_t)i;
                *ret_found = true;
                return fs_read(AT_FDCWD, path, ret, err);
        }
        return true;
}

static bool read_remote(struct announcement *from, const char *file, bool missing_ok, struct buf *ret, bool *ret_found,
                        struct err *err) {
        struct source *source = from->source;
        auto_free char *location = xasprintf("repodata/%s", file);
        auto_free char *path = cached_path(source, file, true);
        auto_free const char **urls = xcalloc(source->urls.count + 1, sizeof *urls);
        auto_free size_t *indexes = xcalloc(source->urls.count + 1, sizeof *indexes);
        size_t count = 0;
        for (size_t i = 0; i < source->urls.count; i++) {
                bool allowed = !from->refused[i] && (from->url < 0 || from->url == (ssize_t)i);
                if (!allowed || strncmp(source->urls.items[i], "file://", 7) == 0)
                        continue;
                auto_free char *url = url_join(source->urls.items[i], location);
                indexes[count] = i;
                urls[count++] = arena_strdup(source->arena, url);
        }
        struct transfer transfer = { 0 };
        if (count == 0)
                return true;
        if (!source_fetch_small(source, &(struct strings){ urls, count }, file, path, missing_ok, &transfer, err))
                return false;
        *ret_found = !transfer.missing;
        from->url = (ssize_t)indexes[transfer.used];
        from->fetched = true;
        return transfer.missing || fs_read(AT_FDCWD, path, ret, err);
}

static bool read_cached(const struct announcement *from, const char *file, struct buf *ret, bool *ret_found,
                        struct err *err) {
        auto_free char *path = cached_path(from->source, file, false);
        *ret_found = fs_exists(AT_FDCWD, path);
        return !*ret_found || fs_read(AT_FDCWD, path, ret, err);
}

static bool not_found(const struct announcement *from, const char *file, struct err *err) {
        const struct source *source = from->source;
        auto_free char *location = xasprintf("repodata/%s", file);
        auto_free char *url = url_join(source->urls.items[0], location);
        auto_free char *shown = url_shown(url);
        if (strncmp(url, "file://", 7) == 0) {
                fail(err, ERR_NETWORK, ENOENT, "%s", shown);
                return source_unreachable(source, err);
        }
        fail(err, ERR_NETWORK, 0, "%s of %s is not in the cache %s, and --offline forbids to fetch it", file,
             source->repository->name, cache_path(source->options->cache));
        return hint(err, "build once without --offline, or name a local copy with --repo %s=DIRECTORY",
                    source->repository->name);
}

// The bytes of repomd.xml or its signature. The second comes from where the first did.
static bool obtain(struct announcement *from, const char *file, bool missing_ok, struct buf *ret, bool *ret_found,
                   struct err *err) {
        bool offline = from->source->options->offline;
        auto_free char *location = xasprintf("repodata/%s", file);
        ret->max = REPOMD_MAX;
        *ret_found = false;
        if (!read_local(from, location, ret, ret_found, err))
                return false;
        if (!*ret_found && !offline && !read_remote(from, file, missing_ok, ret, ret_found, err))
                return false;
        if (!*ret_found && offline && from->url < 0 &&
            !read_cached(from, file, ret, ret_found, err)) // `kiln fetch` kept it
                return false;
        return *ret_found || missing_ok || not_found(from, file, err);
}

static bool check_signature(struct announcement *from, struct err *err) {
        struct source *source = from->source;
        auto_close int fd = -1;
        const struct keyring *keyring = NULL;
        if (!obtain(from, "repomd.xml.asc", true, &source->signature, &from->has_signature, err))
                return false;
        if (!from->has_signature && source->options->pinned)
                return true; // an export; what it leads to is pinned by the lock's digests
        if (!from->has_signature) {
                auto_free char *shown = url_shown(source->urls.items[from->url < 0 ? 0 : from->url]);
                return fail(err, ERR_SIGNATURE, 0, "repository %s: repomd.xml is not signed: %s has no repomd.xml.asc",
                            source->repository->name, shown) ||
                       hint(err, "set `repo_gpgcheck: false` if its metadata is never signed");
        }
        auto_free char *subject = xasprintf("repository %s: repomd.xml", source->repository->name);
        return source_keys(source, &keyring, err) && memory_file(source->repomd.data, source->repomd.size, &fd, err) &&
               keyring_verify_detached(keyring, subject, &source->signature, fd, err);
}

static bool too_old(const struct source *source, int64_t newest, struct err *err) {
        const time_t times[] = { (time_t)source->published, (time_t)newest };
        char dates[lengthof(times)][32];
        for (size_t i = 0; i < lengthof(times); i++) {
                struct tm parts;
                strftime(dates[i], sizeof dates[i], "%F %T", gmtime_r(&times[i], &parts));
        }
        fail(err, ERR_DOWNGRADE, 0,
             "repository %s: its metadata is of %s UTC, older than that of %s UTC which it had before: a stale "
             "mirror, or somebody who holds back updates",
             source->repository->name, dates[0], dates[1]);
        return hint(err, "--allow-downgrade accepts it; --repo %s=URL takes another mirror", source->repository->name);
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
        if (now < newest && !source->options->allow_downgrade)
                return too_old(source, newest, err);
        auto_free char *line = xasprintf("%lld\n", (long long)now);
        return fs_write_atomic(AT_FDCWD, path, line, strlen(line), 0644, err);
}

// What was fetched is good: it takes the place of what was there. A signature that is gone takes its old file along.
static bool adopt(const struct source *source, const char *file, bool present, struct err *err) {
        auto_free char *path = cached_path(source, file, false);
        auto_free char *pending = cached_path(source, file, true);
        if (!present)
                return unlink(path) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "remove %s", path);
        return rename(pending, path) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "rename %s", pending);
}

static bool try_one(struct announcement *from, struct err *err) {
        struct source *source = from->source;
        bool found = false;
        buf_release(&source->repomd);
        buf_release(&source->signature);
        if (!obtain(from, "repomd.xml", false, &source->repomd, &found, err))
                return false;
        if (source->repository->check_metadata_signature && !check_signature(from, err))
                return false;
        if (!repomd_parse(source, buf_text(&source->repomd), source->repomd.size, err))
                return wrap(err, "repository %s", source->repository->name);
        return check_age(source, err) &&
               (!from->fetched ||
                (adopt(source, "repomd.xml.asc", from->has_signature, err) && adopt(source, "repomd.xml", true, err)));
}

static bool is_the_mirrors_fault(const struct err *err) {
        return err->kind == ERR_DOWNGRADE || err->kind == ERR_SIGNATURE || err->kind == ERR_CORRUPT;
}

static size_t mirrors_left(const struct announcement *from) {
        size_t left = 0;
        for (size_t i = 0; i < from->source->urls.count; i++)
                left += !from->refused[i];
        return left;
}

bool source_announcement(struct source *source, struct err *err) {
        auto_free bool *refused = xcalloc(source->urls.count + 1, sizeof *refused);
        auto_err first = { 0 };
        for (;;) {
                struct announcement from = { .source = source, .refused = refused, .url = -1 };
                if (try_one(&from, err))
                        return true;
                bool next = is_the_mirrors_fault(err) && from.url >= 0;
                if (next)
                        refused[from.url] = true;
                if (!first.kind)
                        first = take_err(err);
                err_release(err);
                if (!next || mirrors_left(&from) == 0)
                        break;
                auto_free char *shown = url_shown(source->urls.items[from.url]);
                notice("passing over the mirror %s: %s", shown, first.text);
        }
        *err = take_err(&first); // what the best mirror had to say
        return false;
}
