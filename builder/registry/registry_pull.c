// SPDX-License-Identifier: MIT
// Downloads of blobs, digested as they come in. A connection that is lost is gone on with where it was.
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "registry/internal.h"

enum { READ_BYTES = 256 << 10, PARTIAL_CONTENT = 206, RANGE_NOT_SATISFIABLE = 416 };

struct blob_download {
        struct registry *registry;
        const struct registry_blob *blob;
        struct digest *digest; // of what the file has
        uint64_t have;
        uint64_t asked_from; // of the request under way
        int fd;
        struct progress *progress;
        bool begun; // the answer's status was looked at
};

static bool empty_download(struct blob_download *download, struct err *err) {
        digest_free(download->digest);
        download->digest = digest_new("sha256");
        download->have = 0;
        if (ftruncate(download->fd, 0) < 0 || lseek(download->fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "empty a file that was loaded in part");
        return true;
}

// What an earlier pull left.
static bool digest_what_is_there(struct blob_download *download, struct err *err) {
        struct stat stat;
        auto_free char *block = xmalloc(READ_BYTES);
        if (fstat(download->fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat a file that was loaded in part");
        if ((uint64_t)stat.st_size > download->blob->size_bytes)
                return empty_download(download, err);
        if (lseek(download->fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        for (ssize_t got; (got = read(download->fd, block, READ_BYTES)) != 0;) {
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read what was loaded before");
                digest_update(download->digest, block, (size_t)got);
                download->have += (uint64_t)got;
                if (!interrupt_check(err))
                        return false;
        }
        return true;
}

// "bytes 100-199/200": whether it begins where it was asked for.
static bool begins_where_asked(const struct blob_download *download, const struct web_answer *answer) {
        auto_buf value = { 0 };
        auto_free char *expected = xasprintf("bytes %" PRIu64 "-", download->asked_from);
        return web_header(answer, "content-range", 0, &value) &&
               strncmp(buf_text(&value), expected, strlen(expected)) == 0;
}

// A server without ranges gives the whole: it is written from the start.
static bool begin_to_take(struct blob_download *download, const struct web_answer *answer, struct err *err) {
        download->begun = true;
        if (answer->status != PARTIAL_CONTENT)
                return download->have == 0 || empty_download(download, err);
        return begins_where_asked(download, answer) ||
               fail(err, ERR_CORRUPT, 0, "%s gives another range than it was asked for", download->registry->authority);
}

static bool take_blob(const struct web_answer *answer, const void *data, size_t size, void *context, struct err *err) {
        struct blob_download *download = context;
        if (!download->begun && !begin_to_take(download, answer, err))
                return false;
        if (size > download->blob->size_bytes - download->have)
                return fail(err, ERR_CORRUPT, 0, "blob %s is longer than its %" PRIu64 " bytes", download->blob->sha256,
                            download->blob->size_bytes);
        if (!fs_write_all(download->fd, data, size, err))
                return false;
        digest_update(download->digest, data, size);
        download->have += size;
        if (download->progress)
                progress_add(download->progress, size);
        return true;
}

static bool get_rest(struct blob_download *download, struct err *err) {
        struct registry *registry = download->registry;
        auto_free char *url = xasprintf("%s/blobs/sha256:%s", registry->root, download->blob->sha256);
        auto_free char *range = xasprintf("Range: bytes=%" PRIu64 "-", download->have);
        struct registry_request get = {
                .method = "GET", .url = url, .take = take_blob, .context = download, .is_once = true
        };
        auto_web_answer answer = { 0 };
        download->begun = false;
        download->asked_from = download->have;
        if (download->have > 0)
                get.header = range;
        if (!registry_ask(registry, &get, &answer, err))
                return false;
        if (answer.status == RANGE_NOT_SATISFIABLE && download->have > 0)
                return empty_download(download, err);
        return registry_is_success(&answer) || registry_refusal(registry, &get, &answer, err);
}

// Only attempts that bring nothing are counted; what came before, and was thrown away since, is nothing.
static bool get_all(struct blob_download *download, struct err *err) {
        unsigned attempt = 0;
        uint64_t most = download->have;
        while (download->have < download->blob->size_bytes) {
                bool ok = get_rest(download, err);
                if (download->have > most) {
                        most = download->have;
                        attempt = 0;
                }
                if (ok && download->have == download->blob->size_bytes)
                        break;
                if (!ok && err->kind != ERR_NETWORK)
                        return false;
                if (!registry_try_again(download->registry, &attempt, err)) {
                        if (err->kind == ERR_NONE)
                                fail(err, ERR_CORRUPT, 0, "blob %s is shorter than its %" PRIu64 " bytes",
                                     download->blob->sha256, download->blob->size_bytes);
                        return false;
                }
                err_release(err);
        }
        return true;
}

static bool is_right(struct blob_download *download) {
        char found[DIGEST_HEX_SIZE];
        digest_final(take_ptr(download->digest), found);
        return strcmp(found, download->blob->sha256) == 0;
}

// With what was there before, which may have been something else: then once more, without it.
static bool get_verified(struct blob_download *download, struct err *err) {
        int attempts = 1;
        if (download->have > 0)
                attempts++;
        for (; attempts > 0; attempts--) {
                if (!get_all(download, err))
                        return false;
                if (is_right(download))
                        return true;
                if (!empty_download(download, err))
                        return false;
        }
        return fail(err, ERR_CHECKSUM, 0, "%s gives something else as blob %s", download->registry->authority,
                    download->blob->sha256);
}

bool registry_pull_blob(struct registry *registry, const struct registry_blob *blob, int fd, struct progress *progress,
                        struct err *err) {
        struct blob_download download = {
                .registry = registry, .blob = blob, .digest = digest_new("sha256"), .fd = fd, .progress = progress
        };
        assert(strlen(blob->sha256) == OCI_DIGEST_SIZE - 1);
        bool ok = digest_what_is_there(&download, err);
        if (ok && progress)
                progress_add(progress, download.have);
        ok = ok && get_verified(&download, err);
        digest_free(download.digest);
        if (!ok && err->kind == ERR_CORRUPT && ftruncate(fd, 0) < 0)
                return wrap(err, "emptying it failed, after");
        return ok;
}

// ---- small ones ----

struct small_blob {
        const char *sha256;
        struct buf *buf;
};

static bool take_small(const struct web_answer *answer, const void *data, size_t size, void *context, struct err *err) {
        const struct small_blob *small = context;
        (void)answer;
        if (size > small->buf->max - small->buf->size)
                return fail(err, ERR_CORRUPT, 0, "blob %s is longer than %zu bytes", small->sha256, small->buf->max);
        buf_append(small->buf, data, size);
        return true;
}

bool registry_read_blob(struct registry *registry, const char *sha256, struct buf *ret, struct err *err) {
        char found[DIGEST_HEX_SIZE];
        struct small_blob small = { sha256, ret };
        bool is_there;
        assert(ret->max > 0);
        for (unsigned attempt = 0;;) {
                buf_clear(ret);
                if (registry_stream_blob(registry, sha256, take_small, &small, &is_there, err))
                        break;
                if (err->kind != ERR_NETWORK || !registry_try_again(registry, &attempt, err))
                        return false;
                err_release(err);
        }
        if (!is_there)
                return fail(err, ERR_CORRUPT, 0, "%s has no blob %s, which a manifest names", registry->authority,
                            sha256);
        digest_bytes("sha256", buf_text(ret), ret->size, found);
        return strcmp(found, sha256) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "%s gives something else as blob %s", registry->authority, sha256);
}

bool registry_stream_blob(struct registry *registry, const char *sha256, web_take *take, void *context, bool *ret_found,
                          struct err *err) {
        auto_free char *url = xasprintf("%s/blobs/sha256:%s", registry->root, sha256);
        const struct registry_request get = {
                .method = "GET", .url = url, .take = take, .context = context, .is_once = true
        };
        auto_web_answer answer = { 0 };
        if (!registry_ask(registry, &get, &answer, err))
                return false;
        *ret_found = registry_is_success(&answer);
        return *ret_found || answer.status == 404 || registry_refusal(registry, &get, &answer, err);
}
