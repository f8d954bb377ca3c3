// SPDX-License-Identifier: MIT
#include "packages/metadata/repomd_fetch.h"

#include <assert.h>
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
#include "cache/layout.h"
#include "cache/lock.h"
#include "packages/fetch/transfer.h"
#include "packages/fetch/url.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/repomd.h"
#include "packages/metadata/source.h"
#include "packages/trust/keyring.h"

// What was fetched and is not yet known to be good.
#define PENDING ".new"

enum { REPOMD_MAX = 4 << 20 };

// One attempt: repomd.xml and its signature from one mirror, or from the cache.
struct repomd_attempt {
        struct source *source;
        const bool *refused; // by URL: mirrors whose repomd.xml was no good
        ssize_t url;         // index of the mirror; -1: none yet, or it came from the cache
        bool fetched;        // through the network, to NAME.new in the cache
        bool has_signature;
};

static char *repomd_path(const struct source *source, const char *file) {
        return xasprintf("%s/%s", source->dir, file);
}

static char *pending_path(const struct source *source, const char *file) {
        return xasprintf("%s/%s" PENDING, source->dir, file);
}

// Once the repomd.xml of a mirror was taken, its signature is taken from nowhere else.
static bool may_ask(const struct repomd_attempt *attempt, size_t url) {
        return !attempt->refused[url] && (attempt->url < 0 || attempt->url == (ssize_t)url);
}

// Mirrors on this machine come first: they cost nothing.
static bool read_local(struct repomd_attempt *attempt, const char *location, struct buf *ret, bool *ret_found,
                       struct err *err) {
        const struct source *source = attempt->source;
        for (size_t i = 0; i < source->urls.count; i++) {
                if (!may_ask(attempt, i))
                        continue;
                auto_free char *path = url_local_file(source->urls.items[i], location);
                if (!path || access(path, F_OK) < 0)
                        continue;
                attempt->url = (ssize_t)i;
                *ret_found = true;
                return fs_read(AT_FDCWD, path, ret, err);
        }
        return true;
}

static bool read_remote(struct repomd_attempt *attempt, const char *file, bool missing_ok, struct buf *ret,
                        bool *ret_found, struct err *err) {
        struct source *source = attempt->source;
        auto_free char *location = xasprintf("repodata/%s", file);
        auto_free char *path = pending_path(source, file);
        auto_free const char **urls = xcalloc(source->urls.count + 1, sizeof *urls);
        auto_free size_t *indexes = xcalloc(source->urls.count + 1, sizeof *indexes);
        size_t count = 0;
        for (size_t i = 0; i < source->urls.count; i++) {
                if (!may_ask(attempt, i) || strncmp(source->urls.items[i], "file://", 7) == 0)
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
        attempt->url = (ssize_t)indexes[transfer.used];
        attempt->fetched = true;
        return transfer.missing || fs_read(AT_FDCWD, path, ret, err);
}

static bool read_cached(const struct repomd_attempt *attempt, const char *file, struct buf *ret, bool *ret_found,
                        struct err *err) {
        auto_free char *path = repomd_path(attempt->source, file);
        *ret_found = fs_exists(AT_FDCWD, path);
        return !*ret_found || fs_read(AT_FDCWD, path, ret, err);
}

static bool fail_for_absent_repomd(const struct repomd_attempt *attempt, const char *file, struct err *err) {
        const struct source *source = attempt->source;
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

// The bytes of repomd.xml or its signature.
static bool read_anywhere(struct repomd_attempt *attempt, const char *file, bool missing_ok, struct buf *ret,
                          bool *ret_found, struct err *err) {
        bool offline = attempt->source->options->offline;
        auto_free char *location = xasprintf("repodata/%s", file);
        ret->max = REPOMD_MAX;
        *ret_found = false;
        if (!read_local(attempt, location, ret, ret_found, err))
                return false;
        if (!*ret_found && !offline && !read_remote(attempt, file, missing_ok, ret, ret_found, err))
                return false;
        bool may_be_kept = offline && attempt->url < 0; // by `kiln fetch`
        if (!*ret_found && may_be_kept && !read_cached(attempt, file, ret, ret_found, err))
                return false;
        if (!*ret_found && !missing_ok)
                return fail_for_absent_repomd(attempt, file, err);
        return true;
}

static bool fail_for_unsigned(const struct repomd_attempt *attempt, struct err *err) {
        const struct source *source = attempt->source;
        size_t url = 0;
        if (attempt->url >= 0)
                url = (size_t)attempt->url;
        auto_free char *shown = url_shown(source->urls.items[url]);
        fail(err, ERR_SIGNATURE, 0, "repository %s: repomd.xml is not signed: %s has no repomd.xml.asc",
             source->repository->name, shown);
        return hint(err, "set `repo_gpgcheck: false` if its metadata is never signed");
}

static bool check_repomd_signature(struct repomd_attempt *attempt, struct err *err) {
        struct source *source = attempt->source;
        auto_close int fd = -1;
        const struct keyring *keyring = NULL;
        if (!read_anywhere(attempt, "repomd.xml.asc", true, &source->signature, &attempt->has_signature, err))
                return false;
        if (!attempt->has_signature && source->options->locked)
                return true; // an export; the lock's digests say which packages it may lead to
        if (!attempt->has_signature)
                return fail_for_unsigned(attempt, err);
        auto_free char *subject = xasprintf("repository %s: repomd.xml", source->repository->name);
        return source_keys(source, &keyring, err) && memory_file(source->repomd.data, source->repomd.size, &fd, err) &&
               keyring_verify_detached(keyring, subject, &source->signature, fd, err);
}

enum { DATE_SIZE = 32, DAY = 24 * 60 * 60 };

static void format_date(int64_t seconds, char ret[static DATE_SIZE]) {
        const time_t time = (time_t)seconds;
        struct tm parts;
        strftime(ret, DATE_SIZE, "%F %T", gmtime_r(&time, &parts));
}

static bool fail_for_old_repomd(const struct source *source, int64_t newest, struct err *err) {
        char published[DATE_SIZE];
        char before[DATE_SIZE];
        format_date(source->published, published);
        format_date(newest, before);
        fail(err, ERR_DOWNGRADE, 0,
             "repository %s: its metadata is of %s UTC, older than that of %s UTC which it had before: a stale "
             "mirror, or somebody who holds back updates",
             source->repository->name, published, before);
        return hint(err, "--allow-downgrade accepts it; --repo %s=URL takes another mirror", source->repository->name);
}

// A clock may be somewhat wrong, here or there; nothing is published much later than now.
static bool is_to_come(int64_t seconds) { return seconds > (int64_t)time(NULL) + DAY; }

static void warn_of_future_repomd(const struct source *source) {
        char published[DATE_SIZE];
        format_date(source->published, published);
        warning("repository %s: its metadata says that it is of %s UTC, which is to come: that is not taken for the "
                "newest seen (or the clock of this machine is wrong)",
                source->repository->name, published);
}

// The newest metadata ever taken from here, as seconds since 1970. Whoever can alter what a server answers could
// otherwise hold back updates by serving metadata of last year, signed as it is. A time that is to come counts for
// nothing, neither now nor if an earlier kiln noted it: it would have every honest mirror refused.
static bool check_repomd_age(struct source *source, struct err *err) {
        auto_free char *path = xasprintf("%s/newest", source->dir);
        auto_buf text = { .max = 64 << 10 };
        if (fs_exists(AT_FDCWD, path) && !fs_read(AT_FDCWD, path, &text, err))
                return false;
        int64_t newest = strtoll(buf_text(&text), NULL, 10);
        int64_t now = source->published;
        if (is_to_come(newest))
                newest = 0;
        if (is_to_come(now))
                warn_of_future_repomd(source);
        if (now == newest || now == 0 || is_to_come(now))
                return true;
        if (now < newest && !source->options->allow_downgrade)
                return fail_for_old_repomd(source, newest, err);
        auto_free char *line = xasprintf("%lld\n", (long long)now);
        return fs_write_atomic(AT_FDCWD, path, line, strlen(line), 0644, err);
}

// What was fetched is good: it takes the place of what was there.
static bool replace_cached(const struct source *source, const char *file, struct err *err) {
        auto_free char *path = repomd_path(source, file);
        auto_free char *pending = pending_path(source, file);
        if (rename(pending, path) < 0 && errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "rename %s", pending);
        return true;
}

static bool remove_cached(const struct source *source, const char *file, struct err *err) {
        auto_free char *path = repomd_path(source, file);
        if (unlink(path) < 0 && errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "remove %s", path);
        return true;
}

// A repomd.xml without a signature leaves none of an earlier one behind.
static bool update_cache(const struct repomd_attempt *attempt, struct err *err) {
        const struct source *source = attempt->source;
        bool ok;
        if (attempt->has_signature)
                ok = replace_cached(source, "repomd.xml.asc", err);
        else
                ok = remove_cached(source, "repomd.xml.asc", err);
        return ok && replace_cached(source, "repomd.xml", err);
}

// A repomd.xml out of the cache was one of them when it was taken; the metalink may be newer by now.
static bool check_metalink_digest(const struct repomd_attempt *attempt, struct err *err) {
        const struct source *source = attempt->source;
        bool is_cached = attempt->url < 0;
        if (source->metalink.digest_count == 0 || is_cached ||
            metalink_vouches_for(&source->metalink, buf_text(&source->repomd), source->repomd.size))
                return true;
        auto_free char *shown = url_shown(source->urls.items[attempt->url]);
        fail(err, ERR_CHECKSUM, 0, "repository %s: repomd.xml of %s is none of those that the metalink lists",
             source->repository->name, shown);
        return hint(err, "the mirrors may not have the newest metadata yet: try again later, or --repo %s=URL",
                    source->repository->name);
}

static bool try_once(struct repomd_attempt *attempt, struct err *err) {
        struct source *source = attempt->source;
        bool found = false;
        buf_release(&source->repomd);
        buf_release(&source->signature);
        if (!read_anywhere(attempt, "repomd.xml", false, &source->repomd, &found, err))
                return false;
        if (!check_metalink_digest(attempt, err))
                return false;
        if (source->repository->check_metadata_signature && !check_repomd_signature(attempt, err))
                return false;
        if (!repomd_parse(source, buf_text(&source->repomd), source->repomd.size, err))
                return wrap(err, "repository %s", source->repository->name);
        if (!check_repomd_age(source, err))
                return false;
        source->is_local = !attempt->fetched && attempt->url >= 0;
        return !attempt->fetched || update_cache(attempt, err);
}

static bool is_the_mirrors_fault(const struct err *err) {
        return err->kind == ERR_DOWNGRADE || err->kind == ERR_SIGNATURE || err->kind == ERR_CORRUPT ||
               err->kind == ERR_CHECKSUM;
}

static size_t mirrors_left(const struct repomd_attempt *attempt) {
        size_t left = 0;
        for (size_t i = 0; i < attempt->source->urls.count; i++)
                left += !attempt->refused[i];
        return left;
}

// What repomd.xml lists is needed, also where this run does not open it: a build without a network may have to.
static void note_metadata_files(const struct source *source) {
        const struct metadata_file *files[] = { &source->primary, &source->filelists, &source->group,
                                                &source->modules };
        for (size_t i = 0; i < lengthof(files); i++) {
                if (!files[i]->location)
                        continue;
                auto_free char *start = xstrndup(files[i]->checksum, CACHE_PART_START);
                cache_note_part(source->options->cache, CACHE_REPOS, source->name, start);
        }
}

bool repomd_fetch(struct source *source, struct err *err) {
        assert(source->dir && source->urls.count > 0);
        auto_close int lock = -1;
        if (!source_lock(source, &lock, err))
                return false;
        auto_free bool *refused = xcalloc(source->urls.count + 1, sizeof *refused);
        auto_err first = { 0 };
        for (;;) {
                struct repomd_attempt attempt = { .source = source, .refused = refused, .url = -1 };
                if (try_once(&attempt, err)) {
                        note_metadata_files(source);
                        return true;
                }
                bool try_next = is_the_mirrors_fault(err) && attempt.url >= 0;
                if (try_next)
                        refused[attempt.url] = true;
                bool is_last = !try_next || mirrors_left(&attempt) == 0;
                if (!is_last) {
                        auto_free char *shown = url_shown(source->urls.items[attempt.url]);
                        notice("passing over the mirror %s: %s", shown, err->text);
                }
                if (!first.kind)
                        first = take_err(err);
                err_release(err);
                if (is_last)
                        break;
        }
        *err = take_err(&first); // of the mirror that is preferred
        return false;
}
