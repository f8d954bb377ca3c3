// SPDX-License-Identifier: MIT
#include "packages/fetch/transfer.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/fetch/partial.h"
#include "packages/fetch/sink.h"
#include "packages/fetch/url.h"

enum {
        PARALLEL = 6,
        ROUNDS = 4,     // times that every URL is tried
        PAUSE_MS = 250, // before the second round; doubles with each
        CONNECT_SECONDS = 15,
        SLOW_BYTES = 500, // a second: below this for STALL_SECONDS the transfer is given up
        STALL_SECONDS = 20,
        PROGRESS_BYTES = 64 << 10, // an attempt that brought this much does not count as a failure
        TICK_MS = 100,
};

enum stage { WAITING, RUNNING, SETTLING, FINISHED };

// One transfer under way. Its attempts follow each other; when the next one begins, `sink` writes no more to the file.
struct download {
        struct transfer *transfer;
        struct progress *progress; // may be NULL
        enum stage stage;
        CURL *easy;
        struct partial partial;
        struct sink *sink;
        uint64_t have, start; // bytes that came in; where this attempt began
        size_t url;           // index of the current URL
        int round;
        int64_t not_before_ms;
        CURLcode code;    // of the last attempt
        long status;      // HTTP's
        bool measured;    // the server said how much it would send
        bool answered;    // the first bytes of this attempt were looked at
        bool *refused;    // by URL: no use in asking again
        bool found_wrong; // the last error is about contents, not about the network
        bool was_blamed;  // what an earlier attempt had left was thrown away for such an error
        bool rejected;    // the right bytes came, and were found wanting: no other mirror has better ones
        struct err error; // of the last attempt
        char curl_text[CURL_ERROR_SIZE];
};

struct batch {
        CURLM *multi;
        struct sinks *sinks;
        struct download *downloads;
        size_t count, running, finished;
};

// To be called only while `sink` writes nothing.
static bool restart_file(struct download *download, struct err *err) {
        download->have = 0;
        return partial_restart(&download->partial, err);
}

// A server may answer a range request with the whole file, or with another range than asked for.
static bool check_range(struct download *download, struct err *err) {
        download->answered = true;
        if (download->start == 0)
                return true;
        long status = 0;
        curl_easy_getinfo(download->easy, CURLINFO_RESPONSE_CODE, &status);
        struct curl_header *range = NULL;
        if (status == 206 &&
            curl_easy_header(download->easy, "Content-Range", 0, CURLH_HEADER, -1, &range) == CURLHE_OK) {
                const char *digits = range->value + strcspn(range->value, "0123456789");
                if (strncmp(range->value, "bytes ", 6) == 0 && strtoull(digits, NULL, 10) == download->start)
                        return true;
        }
        return restart_file(download, err);
}

static size_t receive_bytes(char *data, size_t unit, size_t units, void *context) {
        struct download *download = context;
        size_t size = unit * units;
        const struct transfer *transfer = download->transfer;
        if (!download->answered && !check_range(download, &download->error))
                return CURL_WRITEFUNC_ERROR;
        uint64_t most = transfer->size_bytes;
        if (!most || (transfer->max_bytes && most > transfer->max_bytes))
                most = transfer->max_bytes;
        if (most && download->have + size > most) {
                download->found_wrong = true;
                fail(&download->error, ERR_CORRUPT, 0, "longer than the %" PRIu64 " bytes that it should have", most);
                return CURL_WRITEFUNC_ERROR;
        }
        if (!sink_append(download->sink, data, size))
                return CURL_WRITEFUNC_ERROR; // finish_attempt() gets the reason from it
        download->have += size;
        if (download->progress)
                progress_add(download->progress, size);
        return size;
}

static const char *current_url(const struct download *download) { return download->transfer->urls[download->url]; }

static void set_curl_options(struct download *download) {
        CURL *easy = download->easy;
        auto_free char *url = url_for_request(current_url(download));
        curl_easy_setopt(easy, CURLOPT_URL, url); // curl keeps a copy
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 8L);
        curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "kiln");
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, download->curl_text);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_bytes);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, download);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, download);
}

// Runs on a thread of the sinks, while the receiver leaves this download alone.
static bool settle_download(void *owner, struct err *err) {
        struct download *download = owner;
        const struct transfer *transfer = download->transfer;
        if (!partial_check(&download->partial, err) || !partial_publish(&download->partial, err))
                return false;
        if (!transfer->arrived || transfer->arrived(transfer->context, err))
                return true;
        download->rejected = true;
        return false;
}

static void end_attempt(struct download *download, CURLcode code) {
        download->code = code;
        download->stage = SETTLING;
        if (code == CURLE_OK)
                sink_end(download->sink, settle_download);
        else
                sink_end(download->sink, NULL);
}

static bool prepare_file(struct batch *batch, struct download *download, struct err *err) {
        if (!partial_open(&download->partial, download->transfer, err))
                return false;
        download->have = download->partial.size;
        download->sink = sink_new(batch->sinks, &download->partial, download);
        return true;
}

static bool start_attempt(struct batch *batch, struct download *download, struct err *err) {
        if (!download->sink && !prepare_file(batch, download, err))
                return false;
        download->start = download->have;
        download->answered = false;
        download->found_wrong = false;
        download->status = 0;
        download->measured = false;
        download->curl_text[0] = '\0';
        if (download->transfer->size_bytes && download->have == download->transfer->size_bytes) {
                end_attempt(download, CURLE_OK); // an earlier kiln was stopped just before its rename
                return true;
        }
        download->easy = curl_easy_init();
        if (!download->easy)
                return fail(err, ERR_INTERNAL, 0, "curl_easy_init failed");
        set_curl_options(download);
        if (download->have > 0) {
                char range[32];
                snprintf(range, sizeof range, "%" PRIu64 "-", download->have);
                curl_easy_setopt(download->easy, CURLOPT_RANGE, range);
        }
        download->stage = RUNNING;
        batch->running++;
        curl_multi_add_handle(batch->multi, download->easy);
        return true;
}

static size_t urls_left(const struct download *download) {
        size_t left = 0;
        for (size_t i = 0; i < download->transfer->url_count; i++)
                left += !download->refused[i];
        return left;
}

static void next_url(struct download *download) {
        do {
                download->url++;
                if (download->url == download->transfer->url_count) {
                        download->url = 0;
                        download->not_before_ms = monotonic_ms() + (PAUSE_MS << download->round);
                        download->round++;
                }
        } while (download->refused[download->url]);
}

static bool give_up_download(struct batch *batch, struct download *download, bool missing, struct err *err) {
        download->transfer->missing = missing;
        if (missing && download->transfer->missing_ok) {
                download->transfer->used = download->url;
                download->stage = FINISHED;
                batch->finished++;
                return true;
        }
        auto_free char *shown = url_shown(current_url(download));
        fail(err, download->error.kind, 0, "%s: %s: %s", download->transfer->name, shown, download->error.text);
        size_t others = download->transfer->url_count - 1;
        if (others > 0)
                wrap(err, "%zu mirrors tried in vain, the last", others + 1);
        return false;
}

// After a failed attempt: the same URL later, the next one, or no more.
static bool plan_retry(struct batch *batch, struct download *download, struct err *err) {
        long status = download->status;
        bool missing = status == 404 || status == 410;
        bool fresh_and_wrong = download->found_wrong && download->start == 0;
        if (missing || status == 401 || status == 403 || fresh_and_wrong)
                download->refused[download->url] = true;
        if (status == 416 || download->found_wrong) {
                if (!restart_file(download, err))
                        return false;
        }
        if (urls_left(download) == 0)
                return give_up_download(batch, download, missing, err);
        bool useful = download->have >= download->start + PROGRESS_BYTES && download->transfer->size_bytes;
        // What an earlier attempt left was no part of the file. Once: a mirror could have it begun anew for ever.
        bool blame_the_start = download->found_wrong && !fresh_and_wrong && !download->was_blamed;
        download->was_blamed |= blame_the_start;
        if ((!useful && !blame_the_start) || download->refused[download->url])
                next_url(download);
        if (download->round >= ROUNDS)
                return give_up_download(batch, download, false, err);
        download->stage = WAITING;
        return true;
}

// The answer is complete, or broken off; the sink may still have bytes to write.
static bool end_request(struct batch *batch, struct download *download, CURLcode code, struct err *err) {
        curl_off_t promised = -1;
        curl_easy_getinfo(download->easy, CURLINFO_RESPONSE_CODE, &download->status);
        curl_easy_getinfo(download->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &promised);
        download->measured = promised >= 0;
        curl_multi_remove_handle(batch->multi, download->easy);
        curl_easy_cleanup(take_ptr(download->easy));
        batch->running--;
        if (code == CURLE_OK && !download->answered && download->start > 0 && !restart_file(download, err))
                return false; // an empty answer to a range request
        end_attempt(download, code);
        return true;
}

static bool is_local_failure(const struct err *err) { return err->kind == ERR_DISK_FULL || err->kind == ERR_SYSTEM; }

// The reason of a failed attempt: what the sink met, or what the receiver noted already, or else curl's.
static void note_attempt_failure(struct download *download, struct err sink_error) {
        if (sink_error.kind) {
                // The server sent all that it announced, and it is too short: a page that asks to log in, say.
                bool wrong_page = sink_error.kind == ERR_CORRUPT && download->measured;
                download->found_wrong = sink_error.kind == ERR_CHECKSUM || wrong_page;
                err_release(&download->error);
                download->error = sink_error;
                return;
        }
        if (download->found_wrong || is_local_failure(&download->error))
                return;
        const char *reason = download->curl_text;
        if (!*reason)
                reason = curl_easy_strerror(download->code);
        fail(&download->error, ERR_NETWORK, 0, "%s", reason);
}

// `sink_error` is what the sink met, or empty.
static bool finish_attempt(struct batch *batch, struct download *download, struct err sink_error, struct err *err) {
        if (!sink_error.kind && download->code == CURLE_OK) {
                download->transfer->used = download->url;
                download->stage = FINISHED;
                batch->finished++;
                return true;
        }
        note_attempt_failure(download, sink_error);
        if (download->rejected) {
                *err = take_err(&download->error);
                return false;
        }
        if (is_local_failure(&download->error))
                return fail(err, download->error.kind, 0, "%s: %s", download->transfer->name, download->error.text);
        return plan_retry(batch, download, err);
}

static bool start_due(struct batch *batch, struct err *err) {
        int64_t now = monotonic_ms();
        for (size_t i = 0; i < batch->count && batch->running < PARALLEL; i++) {
                struct download *download = &batch->downloads[i];
                if (download->stage != WAITING || download->not_before_ms > now)
                        continue;
                if (!start_attempt(batch, download, err))
                        return false;
        }
        return true;
}

// The requests that curl has finished.
static bool read_messages(struct batch *batch, struct err *err) {
        int left = 0;
        CURLMsg *message;
        while ((message = curl_multi_info_read(batch->multi, &left)) != NULL) {
                if (message->msg != CURLMSG_DONE)
                        continue;
                CURLcode code = message->data.result;
                char *private = NULL;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
                if (!end_request(batch, (struct download *)(void *)private, code, err))
                        return false;
        }
        return true;
}

static bool finish_settled(struct batch *batch, struct err *err) {
        struct err error = { 0 };
        struct download *download;
        while ((download = sinks_settled(batch->sinks, &error)) != NULL)
                if (!finish_attempt(batch, download, take_err(&error), err))
                        return false;
        return true;
}

static bool run_batch(struct batch *batch, struct err *err) {
        while (batch->finished < batch->count) {
                int running = 0;
                if (!interrupt_check(err) || !start_due(batch, err))
                        return false;
                curl_multi_perform(batch->multi, &running);
                if (!read_messages(batch, err) || !finish_settled(batch, err))
                        return false;
                if (batch->finished < batch->count && batch->running == (size_t)running)
                        curl_multi_poll(batch->multi, NULL, 0, TICK_MS, NULL);
        }
        return true;
}

static void download_release(struct batch *batch, struct download *download) {
        if (download->easy) {
                curl_multi_remove_handle(batch->multi, download->easy);
                curl_easy_cleanup(download->easy);
        }
        if (download->sink)
                partial_close(&download->partial);
        sink_free(download->sink);
        err_release(&download->error);
        free(download->refused);
}

// One for the whole program, so that its connections are used again from one batch to the next.
static CURLM *connections;

static void wake_receiver(void *context) { curl_multi_wakeup(context); }

void transfers_hang_up(void) {
        if (connections)
                curl_multi_cleanup(take_ptr(connections));
}

static CURLM *get_connections(void) {
        static bool ready;
        if (!ready)
                curl_global_init(CURL_GLOBAL_DEFAULT);
        ready = true;
        if (!connections)
                connections = curl_multi_init();
        curl_multi_setopt(connections, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PARALLEL);
        return connections;
}

bool transfers_run(struct transfer *transfers, size_t count, struct progress *progress, struct err *err) {
        struct batch batch = { .multi = get_connections(),
                               .downloads = xcalloc(count + 1, sizeof(struct download)),
                               .count = count };
        batch.sinks = sinks_new(wake_receiver, batch.multi);
        for (size_t i = 0; i < count; i++) {
                batch.downloads[i] = (struct download){ .transfer = &transfers[i], .progress = progress };
                batch.downloads[i].refused = xcalloc(transfers[i].url_count, sizeof(bool));
        }
        bool ok = run_batch(&batch, err);
        sinks_stop(batch.sinks);
        for (size_t i = 0; i < count; i++)
                download_release(&batch, &batch.downloads[i]);
        sinks_free(batch.sinks);
        free(batch.downloads);
        return ok;
}
