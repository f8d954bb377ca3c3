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

// One transfer under way. Its attempts follow each other; `sink` has let go of the file when the next one begins.
struct work {
        struct transfer *transfer;
        struct progress *progress; // NULL: nobody looks
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
        bool rejected;    // the right bytes came, and were found wanting: no other mirror has better ones
        struct err error; // of the last attempt
        char curl_text[CURL_ERROR_SIZE];
};

struct batch {
        CURLM *multi;
        struct sinks *sinks;
        struct work *works;
        size_t count, running, finished;
};

// Only while `sink` has nothing to do.
static bool restart_file(struct work *work, struct err *err) {
        work->have = 0;
        return partial_restart(&work->partial, err);
}

// A server may answer a range request with the whole file, or with another range than asked for.
static bool check_answer(struct work *work, struct err *err) {
        work->answered = true;
        if (work->start == 0)
                return true;
        long status = 0;
        curl_easy_getinfo(work->easy, CURLINFO_RESPONSE_CODE, &status);
        struct curl_header *range = NULL;
        if (status == 206 && curl_easy_header(work->easy, "Content-Range", 0, CURLH_HEADER, -1, &range) == CURLHE_OK) {
                const char *digits = range->value + strcspn(range->value, "0123456789");
                if (strncmp(range->value, "bytes ", 6) == 0 && strtoull(digits, NULL, 10) == work->start)
                        return true;
        }
        return restart_file(work, err);
}

static size_t receive(char *data, size_t unit, size_t units, void *context) {
        struct work *work = context;
        size_t size = unit * units;
        const struct transfer *transfer = work->transfer;
        if (!work->answered && !check_answer(work, &work->error))
                return CURL_WRITEFUNC_ERROR;
        uint64_t most = transfer->size_bytes ? transfer->size_bytes : transfer->max_bytes;
        if (most && work->have + size > most) {
                work->found_wrong = true;
                fail(&work->error, ERR_CORRUPT, 0, "longer than the %" PRIu64 " bytes that it should have", most);
                return CURL_WRITEFUNC_ERROR;
        }
        if (!sink_append(work->sink, data, size))
                return CURL_WRITEFUNC_ERROR; // it keeps the reason
        work->have += size;
        if (work->progress)
                progress_add(work->progress, size);
        return size;
}

static const char *current_url(const struct work *work) { return work->transfer->urls[work->url]; }

static void set_options(struct work *work) {
        CURL *easy = work->easy;
        curl_easy_setopt(easy, CURLOPT_URL, current_url(work));
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
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, work->curl_text);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, work);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, work);
}

// Runs on a thread of the sinks. The transfer may be looked at by nobody else meanwhile.
static bool settle(void *owner, struct err *err) {
        struct work *work = owner;
        const struct transfer *transfer = work->transfer;
        if (!partial_check(&work->partial, err) || !partial_publish(&work->partial, err))
                return false;
        if (!transfer->arrived || transfer->arrived(transfer->context, err))
                return true;
        work->rejected = true;
        return false;
}

static void end_attempt(struct work *work, CURLcode code) {
        work->code = code;
        work->stage = SETTLING;
        sink_end(work->sink, code == CURLE_OK ? settle : NULL);
}

static bool prepare_file(struct batch *batch, struct work *work, struct err *err) {
        if (!partial_open(&work->partial, work->transfer, err))
                return false;
        work->have = work->partial.size;
        work->sink = sink_new(batch->sinks, &work->partial, work);
        return true;
}

static bool start(struct batch *batch, struct work *work, struct err *err) {
        if (!work->sink && !prepare_file(batch, work, err))
                return false;
        work->start = work->have;
        work->answered = false;
        work->found_wrong = false;
        work->status = 0;
        work->measured = false;
        work->curl_text[0] = '\0';
        if (work->transfer->size_bytes && work->have == work->transfer->size_bytes) {
                end_attempt(work, CURLE_OK); // an earlier kiln was stopped just before its rename
                return true;
        }
        work->easy = curl_easy_init();
        if (!work->easy)
                return fail(err, ERR_INTERNAL, 0, "curl_easy_init failed");
        set_options(work);
        if (work->have > 0) {
                char range[32];
                snprintf(range, sizeof range, "%" PRIu64 "-", work->have);
                curl_easy_setopt(work->easy, CURLOPT_RANGE, range);
        }
        work->stage = RUNNING;
        batch->running++;
        curl_multi_add_handle(batch->multi, work->easy);
        return true;
}

static size_t urls_left(const struct work *work) {
        size_t left = 0;
        for (size_t i = 0; i < work->transfer->url_count; i++)
                left += !work->refused[i];
        return left;
}

static void next_url(struct work *work) {
        do {
                work->url++;
                if (work->url == work->transfer->url_count) {
                        work->url = 0;
                        work->not_before_ms = monotonic_ms() + (PAUSE_MS << work->round);
                        work->round++;
                }
        } while (work->refused[work->url]);
}

static bool give_up(struct batch *batch, struct work *work, bool missing, struct err *err) {
        work->transfer->missing = missing;
        if (missing && work->transfer->missing_ok) {
                work->transfer->used = work->url;
                work->stage = FINISHED;
                batch->finished++;
                return true;
        }
        auto_free char *shown = url_shown(current_url(work));
        fail(err, work->error.kind, 0, "%s: %s: %s", work->transfer->name, shown, work->error.text);
        size_t others = work->transfer->url_count - 1;
        if (others > 0)
                wrap(err, "%zu mirrors tried in vain, the last", others + 1);
        return false;
}

// Decides what becomes of a failed attempt: the same URL later, the next one, or the end.
static bool retry(struct batch *batch, struct work *work, struct err *err) {
        long status = work->status;
        bool missing = status == 404 || status == 410;
        bool fresh_and_wrong = work->found_wrong && work->start == 0;
        if (missing || status == 401 || status == 403 || fresh_and_wrong)
                work->refused[work->url] = true;
        if (status == 416 || work->found_wrong) {
                if (!restart_file(work, err))
                        return false;
        }
        if (urls_left(work) == 0)
                return give_up(batch, work, missing, err);
        bool useful = work->have >= work->start + PROGRESS_BYTES && work->transfer->size_bytes;
        bool blame_the_start = work->found_wrong && !fresh_and_wrong; // what lay there was no part of it
        if ((!useful && !blame_the_start) || work->refused[work->url])
                next_url(work);
        if (work->round >= ROUNDS)
                return give_up(batch, work, false, err);
        work->stage = WAITING;
        return true;
}

// What the server had to say is over; the last bytes may still be on their way to the file.
static bool hang_up(struct batch *batch, struct work *work, CURLcode code, struct err *err) {
        curl_off_t promised = -1;
        curl_easy_getinfo(work->easy, CURLINFO_RESPONSE_CODE, &work->status);
        curl_easy_getinfo(work->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &promised);
        work->measured = promised >= 0;
        curl_multi_remove_handle(batch->multi, work->easy);
        curl_easy_cleanup(take_ptr(work->easy));
        batch->running--;
        if (code == CURLE_OK && !work->answered && work->start > 0 && !restart_file(work, err))
                return false; // an empty answer to a range request
        end_attempt(work, code);
        return true;
}

// `error` is what the sink met, or empty.
static bool finish_attempt(struct batch *batch, struct work *work, struct err error, struct err *err) {
        if (error.kind) {
                err_release(&work->error);
                work->error = error;
                // Too little, and the server meant it: a page that asks to log in, say.
                work->found_wrong = error.kind == ERR_CHECKSUM || (error.kind == ERR_CORRUPT && work->measured);
        } else if (work->code == CURLE_OK) {
                work->transfer->used = work->url;
                work->stage = FINISHED;
                batch->finished++;
                return true;
        } else if (!work->found_wrong && work->error.kind != ERR_SYSTEM && work->error.kind != ERR_DISK_FULL) {
                fail(&work->error, ERR_NETWORK, 0, "%s",
                     work->curl_text[0] ? work->curl_text : curl_easy_strerror(work->code));
        }
        if (work->rejected) {
                *err = take_err(&work->error);
                return false;
        }
        if (work->error.kind == ERR_DISK_FULL || work->error.kind == ERR_SYSTEM)
                return fail(err, work->error.kind, 0, "%s: %s", work->transfer->name, work->error.text);
        return retry(batch, work, err);
}

static bool start_due(struct batch *batch, struct err *err) {
        int64_t now = monotonic_ms();
        for (size_t i = 0; i < batch->count && batch->running < PARALLEL; i++) {
                struct work *work = &batch->works[i];
                if (work->stage == WAITING && work->not_before_ms <= now && !start(batch, work, err))
                        return false;
        }
        return true;
}

static bool run_all(struct batch *batch, struct err *err) {
        while (batch->finished < batch->count) {
                if (!interrupt_check(err) || !start_due(batch, err))
                        return false;
                int running = 0;
                curl_multi_perform(batch->multi, &running);
                int left = 0;
                for (CURLMsg *message; (message = curl_multi_info_read(batch->multi, &left));) {
                        if (message->msg != CURLMSG_DONE)
                                continue;
                        CURLcode code = message->data.result;
                        char *private = NULL;
                        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
                        if (!hang_up(batch, (struct work *)(void *)private, code, err))
                                return false;
                }
                struct err error = { 0 };
                for (struct work *work; (work = sinks_settled(batch->sinks, &error));)
                        if (!finish_attempt(batch, work, take_err(&error), err))
                                return false;
                if (batch->finished < batch->count && batch->running == (size_t)running)
                        curl_multi_poll(batch->multi, NULL, 0, TICK_MS, NULL);
        }
        return true;
}

static void work_release(struct batch *batch, struct work *work) {
        if (work->easy) {
                curl_multi_remove_handle(batch->multi, work->easy);
                curl_easy_cleanup(work->easy);
        }
        if (work->sink)
                partial_close(&work->partial);
        sink_free(work->sink);
        err_release(&work->error);
        free(work->refused);
}

// One for the whole program, so that its connections are used again from one batch to the next.
static CURLM *connections;

static void wake(void *context) { curl_multi_wakeup(context); }

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
                               .works = xcalloc(count + 1, sizeof(struct work)),
                               .count = count };
        batch.sinks = sinks_new(wake, batch.multi);
        for (size_t i = 0; i < count; i++) {
                batch.works[i] = (struct work){ .transfer = &transfers[i], .progress = progress };
                batch.works[i].refused = xcalloc(transfers[i].url_count, sizeof(bool));
        }
        bool ok = run_all(&batch, err);
        sinks_stop(batch.sinks);
        for (size_t i = 0; i < count; i++)
                work_release(&batch, &batch.works[i]);
        sinks_free(batch.sinks);
        free(batch.works);
        return ok;
}
