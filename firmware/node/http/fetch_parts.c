// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/http/fetch_internal.h"

// Where the download is.
struct parts {
        const struct fetch_parts *wanted;
        size_t range, chunk;
        uint64_t in_chunk;        // bytes of the chunk that are there
        struct sha256_ctx digest; // of these
        bool is_mixed;            // which come from several connections
        bool is_spoilt;           // such a chunk was wrong, whoever is to blame
};

static void begin_range(struct parts *parts) {
        parts->in_chunk = 0;
        if (parts->range < parts->wanted->range_count)
                parts->chunk = parts->wanted->ranges[parts->range].first;
}

static uint64_t range_end(const struct parts *parts) {
        const struct chunk *last = &parts->wanted->index->chunks[parts->wanted->ranges[parts->range].end - 1];
        return last->offset + last->size;
}

static const struct chunk *current_chunk(const struct parts *parts) {
        return &parts->wanted->index->chunks[parts->chunk];
}

// ---- one request ----

// The mirror is not asked for parts again.
static void give_up_mirror(struct mirror *mirror) { mirror->wrong_files = WRONG_FILES_MAX; }

static bool check_part(const struct download *download, const struct http_response *response, uint64_t first,
                       struct mirror *mirror, struct err *err) {
        uint64_t wanted = download->fetch->size_bytes;
        if (response->status == 200 || response->status == 416) {
                give_up_mirror(mirror);
                return fail(err, ERR_NETWORK, 0, "the server does not send parts of it (it says %d)", response->status);
        }
        if (response->status != 206)
                return fail(err, ERR_NETWORK, 0, "the server says %d (%s)", response->status,
                            http_status_text(response->status));
        if (!response->has_range || response->first_byte != first) {
                mirror->wrong_files++;
                return fail(err, ERR_NETWORK, 0, "the server sent another part than the one from byte %" PRIu64, first);
        }
        if (response->total == 0 || response->total == wanted)
                return true;
        mirror->wrong_files++;
        return fail(err, ERR_NETWORK, 0, "the server's file has %" PRIu64 " bytes, %s a root of %" PRIu64,
                    response->total, download->fetch->named_by, wanted);
}

static bool check_chunk(struct download *download, struct mirror *mirror, struct err *err) {
        struct parts *parts = download->parts;
        const struct chunk *chunk = current_chunk(parts);
        uint8_t found[SHA256_DIGEST_SIZE];
        sha256_digest(&parts->digest, sizeof found, found);
        parts->in_chunk = 0;
        if (memcmp(found, chunk->digest, sizeof found) == 0) {
                parts->chunk++;
                parts->is_mixed = false;
                return true;
        }
        download->done -= chunk->size;
        parts->is_spoilt = parts->is_mixed;
        parts->is_mixed = false;
        if (!parts->is_spoilt)
                mirror->wrong_files++;
        return fail(err, ERR_CHECKSUM, 0, "the server has other bytes from byte %" PRIu64 " on", chunk->offset);
}

static bool write_part(const struct download *download, const char *data, size_t size, uint64_t offset,
                       struct err *err) {
        while (size > 0) {
                ssize_t written = pwrite(download->fd, data, size, (off_t)offset);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return fail(err, ERR_SYSTEM, errno, "write %s", download->fetch->path);
                data += written;
                size -= (size_t)written;
                offset += (uint64_t)written;
        }
        return true;
}

static bool take_chunks(struct download *download, struct mirror *mirror, const char *data, size_t size,
                        struct err *err) {
        struct parts *parts = download->parts;
        while (size > 0) {
                const struct chunk *chunk = current_chunk(parts);
                size_t taken = size_min(size, chunk->size - parts->in_chunk);
                if (parts->in_chunk == 0)
                        sha256_init(&parts->digest);
                if (!write_part(download, data, taken, chunk->offset + parts->in_chunk, err))
                        return false;
                sha256_update(&parts->digest, taken, (const uint8_t *)data);
                parts->in_chunk += taken;
                download_advance(download, taken);
                if (parts->in_chunk == chunk->size && !check_chunk(download, mirror, err))
                        return false;
                data += taken;
                size -= taken;
        }
        return true;
}

// What a server sends beyond is not read.
static bool take_part(struct download *download, struct mirror *mirror, struct http *http, uint64_t first,
                      struct err *err) {
        struct flow flow = { .since_ms = clock_now_ms() };
        uint64_t end = range_end(download->parts);
        for (uint64_t at = first; at < end;) {
                size_t size;
                if (!http_read(http, download->block, FETCH_BLOCK_BYTES, &size, err))
                        return false;
                if (size == 0)
                        return fail(err, ERR_NETWORK, 0, "the server's part ends at byte %" PRIu64 " of %" PRIu64, at,
                                    end);
                download->tally.bytes += size;
                size = size_min(size, end - at);
                if (!take_chunks(download, mirror, download->block, size, err))
                        return false;
                at += size;
                if (at < end && !download_check_flow(download, &flow, size, err))
                        return false;
        }
        return true;
}

static bool fetch_part(struct download *download, struct mirror *mirror, struct err *err) {
        struct http http __attribute__((cleanup(http_close))) = { .fd = -1 };
        struct parts *parts = download->parts;
        uint64_t first = current_chunk(parts)->offset + parts->in_chunk;
        bool ok = download_open(download, mirror, first, range_end(parts) - first, &http, err) &&
                  check_part(download, &http.response, first, mirror, err) &&
                  take_part(download, mirror, &http, first, err);
        if (!ok)
                download_note_refusal(download, &http.response);
        return ok;
}

// ---- all of them ----

static bool fetch_parts_once(struct download *download, struct mirror *mirror, struct err *err) {
        struct parts *parts = download->parts;
        parts->is_mixed = parts->in_chunk > 0;
        parts->is_spoilt = false;
        while (parts->range < parts->wanted->range_count) {
                if (fetch_part(download, mirror, err)) {
                        parts->range++;
                        begin_range(parts);
                        continue;
                }
                if (!parts->is_spoilt)
                        return false;
                parts->is_spoilt = false; // its beginning was another one's, perhaps: now all of it comes from this one
                err_release(err);
        }
        return true;
}

static uint64_t bytes_of_ranges(const struct fetch_parts *wanted) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < wanted->range_count; i++)
                for (size_t chunk = wanted->ranges[i].first; chunk < wanted->ranges[i].end; chunk++)
                        bytes += wanted->index->chunks[chunk].size;
        return bytes;
}

bool fetch_parts(const struct fetch *fetch, const struct fetch_parts *wanted, struct err *err) {
        assert(fetch->urls && fetch->tell && fetch->named_by);
        assert(wanted->fd >= 0 && fetch->size_bytes == wanted->index->size_bytes);
        struct parts parts = { .wanted = wanted };
        struct download download = { .fetch = fetch, .once = fetch_parts_once, .parts = &parts, .fd = wanted->fd };
        auto_free char *urls = xstrdup(fetch->urls);
        download.wanted = bytes_of_ranges(wanted);
        download.before = fetch->size_bytes - download.wanted;
        begin_range(&parts);
        return wanted->range_count == 0 || download_run(&download, urls, err);
}
