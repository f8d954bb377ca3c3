// SPDX-License-Identifier: MIT
#include "firmware/node/http/fetch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/http/http.h"

enum { BLOCK_BYTES = 1 << 17, PROGRESS_MS = 5000, DELAY_MS = 1000, DELAY_MAX_MS = 16000, WRONG_FILES_MAX = 2 };

struct download {
        const struct fetch *fetch;
        struct url url;
        int fd;
        uint64_t done; // bytes in the file, and in the digest
        struct sha256_ctx digest;
        char *block;
        int64_t told_ms;
        bool mixed;      // the file comes from several connections
        int wrong_files; // complete ones of one connection with another digest
};

static bool is_size_known(const struct download *download) { return download->fetch->size_bytes > 0; }

static uint64_t largest_size(const struct download *download) {
        if (is_size_known(download))
                return download->fetch->size_bytes;
        return download->fetch->max_bytes;
}

static bool start_over(struct download *download, struct err *err) {
        download->done = 0;
        download->mixed = false;
        sha256_init(&download->digest);
        if (ftruncate(download->fd, 0) < 0 || lseek(download->fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "empty %s", download->fetch->path);
        return true;
}

// ---- one connection ----

// Follows redirections to a response that has a body.
static bool open_following(const struct download *download, struct http *ret, struct err *err) {
        const struct http_request request = { .method = "GET",
                                              .first_byte = download->done,
                                              .timeout_ms = download->fetch->silence_ms };
        struct url url = download->url, next;
        for (int i = 0; i <= HTTP_REDIRECTS_MAX; i++) {
                if (!http_open(&url, &request, ret, err))
                        return false;
                if (ret->response.status / 100 != 3 || !ret->response.location[0])
                        return true;
                if (!url_follow(&url, ret->response.location, &next, err)) {
                        err->kind = ERR_NETWORK; // the server's mistake, which it may correct
                        return wrap(err, "redirected");
                }
                http_close(ret);
                url = next;
        }
        return fail(err, ERR_NETWORK, 0, "more than %d redirections", HTTP_REDIRECTS_MAX);
}

// How many bytes of the body are there already; false if it is not the file that is wanted.
static bool check_response(const struct download *download, const struct http_response *response, uint64_t *ret_known,
                           struct err *err) {
        uint64_t wanted = download->fetch->size_bytes, total = response->total;
        bool is_next_part = response->has_range && response->first_byte == download->done;
        if (response->status == 206 && !is_next_part)
                return fail(err, ERR_NETWORK, 0, "the server sent another part than the one from byte %" PRIu64,
                            download->done);
        if (response->status != 200 && response->status != 206)
                return fail(err, ERR_NETWORK, 0, "the server says %d (%s)", response->status,
                            http_status_text(response->status));
        bool is_whole_file = response->status == 200;
        *ret_known = 0;
        if (is_whole_file)
                *ret_known = download->done;
        if (is_whole_file && response->has_length)
                total = response->length;
        if (!is_size_known(download))
                return total <= largest_size(download) ||
                       fail(err, ERR_NETWORK, 0, "the server's file has %" PRIu64 " bytes, more than %" PRIu64, total,
                            largest_size(download));
        return !total || total == wanted ||
               fail(err, ERR_NETWORK, 0, "the server's file has %" PRIu64 " bytes, %s a root of %" PRIu64, total,
                    download->fetch->named_by, wanted);
}

static bool append_bytes(struct download *download, const char *data, size_t size, struct err *err) {
        if (size > largest_size(download) - download->done)
                return fail(err, ERR_NETWORK, 0, "the server sends more than the %" PRIu64 " bytes of the file",
                            largest_size(download));
        for (size_t written = 0; written < size;) {
                ssize_t count = write(download->fd, data + written, size - written);
                if (count < 0 && errno == EINTR)
                        continue;
                if (count < 0)
                        return fail(err, ERR_SYSTEM, errno, "write %s", download->fetch->path);
                written += (size_t)count;
        }
        sha256_update(&download->digest, size, (const uint8_t *)data);
        download->done += size;
        return true;
}

static void tell_progress(struct download *download) {
        int64_t now = clock_now_ms();
        if (now - download->told_ms < PROGRESS_MS || !is_size_known(download))
                return;
        char text[96];
        snprintf(text, sizeof text, "kiln: %" PRIu64 " of %" PRIu64 " MB fetched\n", download->done / 1000000,
                 download->fetch->size_bytes / 1000000);
        download->told_ms = now;
        download->fetch->tell(text);
}

static bool take_body(struct download *download, struct http *http, uint64_t known, struct err *err) {
        for (;;) {
                size_t size;
                if (!http_read(http, download->block, BLOCK_BYTES, &size, err))
                        return false;
                if (size == 0)
                        break;
                size_t skipped = size; // bytes that are in the file already
                if (known < size)
                        skipped = (size_t)known;
                known -= skipped;
                if (!append_bytes(download, download->block + skipped, size - skipped, err))
                        return false;
                tell_progress(download);
        }
        return !is_size_known(download) || download->done == download->fetch->size_bytes ||
               fail(err, ERR_NETWORK, 0, "the server's file ends after %" PRIu64 " of %" PRIu64 " bytes",
                    download->done, download->fetch->size_bytes);
}

static bool check_fetched_digest(struct download *download, struct err *err) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        char found[2 * SHA256_DIGEST_SIZE + 1];
        sha256_digest(&download->digest, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(found + 2 * i, 3, "%02x", digest[i]);
        if (!download->fetch->sha256 || strcasecmp(found, download->fetch->sha256) == 0)
                return true;
        if (!download->mixed) // else the server may have changed it meanwhile
                download->wrong_files++;
        return start_over(download, err) && fail(err, ERR_CHECKSUM, 0, "it has SHA-256 %s, %s %s", found,
                                                 download->fetch->named_by, download->fetch->sha256);
}

static bool fetch_once(struct download *download, struct err *err) {
        struct http http __attribute__((cleanup(http_close))) = { .fd = -1 };
        uint64_t known = 0;
        if (!is_size_known(download) && !start_over(download, err))
                return false;
        download->mixed = download->done > 0;
        bool ok = open_following(download, &http, err) && check_response(download, &http.response, &known, err) &&
                  take_body(download, &http, known, err) && check_fetched_digest(download, err);
        // What was fetched is no part of the file that is there now.
        auto_err ignored = { 0 };
        if (!ok && http.response.status == 416)
                (void)start_over(download, &ignored);
        return ok;
}

// ---- again and again ----

static bool is_beyond_repair(const struct download *download, const struct err *err) {
        return err->kind == ERR_SYSTEM || err->kind == ERR_DISK_FULL || download->wrong_files >= WRONG_FILES_MAX;
}

static void tell_failure(const struct download *download, const struct err *err, int delay_ms) {
        auto_buf text = { 0 };
        buf_printf(&text, "kiln: %s", err->text);
        if (is_size_known(download))
                buf_printf(&text, " (%" PRIu64 " of %" PRIu64 " bytes so far)", download->done,
                           download->fetch->size_bytes);
        buf_printf(&text, "; trying again in %d s\n", delay_ms / 1000);
        download->fetch->tell(buf_text(&text));
}

static bool keep_trying(struct download *download, struct err *err) {
        int64_t moved_ms = clock_now_ms();
        int delay_ms = DELAY_MS;
        for (;;) {
                uint64_t before = download->done;
                err_release(err);
                if (fetch_once(download, err))
                        return true;
                if (is_beyond_repair(download, err))
                        return false;
                int64_t now = clock_now_ms();
                if (is_size_known(download) && download->done > before) { // the time limit is for standing still
                        moved_ms = now;
                        delay_ms = DELAY_MS;
                }
                if (now - moved_ms >= download->fetch->give_up_ms)
                        return wrap(err, "no progress in %d s", download->fetch->give_up_ms / 1000);
                tell_failure(download, err, delay_ms);
                usleep((useconds_t)delay_ms * 1000);
                if (delay_ms < DELAY_MAX_MS)
                        delay_ms *= 2;
        }
}

static bool check_room(const struct download *download, struct err *err) {
        struct statvfs stat;
        if (fstatvfs(download->fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", download->fetch->path);
        uint64_t free_bytes = (uint64_t)stat.f_bavail * stat.f_frsize;
        return free_bytes >= download->fetch->size_bytes ||
               fail(err, ERR_DISK_FULL, 0,
                    "the root needs %" PRIu64 " MB of memory, %" PRIu64 " MB are free: this machine is too small",
                    download->fetch->size_bytes / 1000000, free_bytes / 1000000);
}

bool fetch_file(const struct fetch *fetch, struct err *err) {
        assert(fetch->url && fetch->path && fetch->tell);
        assert(fetch->size_bytes > 0 || fetch->max_bytes > 0);
        assert(!fetch->sha256 || fetch->named_by);
        struct download download = { .fetch = fetch, .told_ms = clock_now_ms() };
        if (!url_parse(fetch->url, &download.url, err))
                return false;
        auto_close int fd = open(fetch->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", fetch->path);
        auto_free char *block = xmalloc(BLOCK_BYTES);
        download.fd = fd;
        download.block = block;
        return check_room(&download, err) && start_over(&download, err) && keep_trying(&download, err);
}
