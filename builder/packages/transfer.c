#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "packages/internal.h"

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

enum stage { WAITING, RUNNING, FINISHED };

// One transfer under way. `partial` is shared with other kilns through a lock: whoever comes second uses a name
// of its own.
struct work {
        struct transfer *transfer;
        struct progress *progress; // NULL: nobody looks
        enum stage stage;
        CURL *easy;
        char *partial;
        int fd;
        uint64_t have, start; // bytes in the file; where this attempt began
        struct digest *digest;
        size_t url; // index of the current URL
        int round;
        int64_t not_before_ms;
        bool answered;    // the first bytes of this attempt were looked at
        bool *refused;    // by URL: no use in asking again
        bool found_wrong; // the last error is about contents, not about the network
        struct err error; // of the last attempt
        char curl_text[CURL_ERROR_SIZE];
};

struct batch {
        CURLM *multi;
        struct work *works;
        size_t count, running, finished;
};

static bool restart_file(struct work *work, struct err *err) {
        work->have = 0;
        digest_free(work->digest);
        work->digest = work->transfer->checksum ? digest_new(work->transfer->checksum_type) : NULL;
        if (ftruncate(work->fd, 0) < 0 || lseek(work->fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "truncate %s", work->partial);
        return true;
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
        if (!fs_write_all(work->fd, data, size, &work->error))
                return CURL_WRITEFUNC_ERROR;
        if (work->digest)
                digest_update(work->digest, data, size);
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

// Opens the partial file and takes its lock. The file may have been renamed by whoever held the lock before, so
// the name is looked at again.
static bool open_partial(struct work *work, bool *ret_locked, struct err *err) {
        for (;;) {
                auto_close int fd = -1;
                struct stat here;
                struct stat named;
                if (!fs_open(AT_FDCWD, work->partial, O_RDWR | O_CREAT, 0644, &fd, err))
                        return false;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        *ret_locked = false;
                        return true;
                }
                if (fstat(fd, &here) == 0 && stat(work->partial, &named) == 0 && here.st_ino == named.st_ino) {
                        work->fd = take_fd(fd);
                        *ret_locked = true;
                        return true;
                }
        }
}

// What an earlier, interrupted kiln left is worth keeping only if a checksum will tell whether it fits.
static bool adopt_partial(struct work *work, struct err *err) {
        enum { BLOCK = 256 << 10 };
        auto_free char *block = xmalloc(BLOCK);
        if (work->transfer->checksum)
                work->digest = digest_new(work->transfer->checksum_type);
        if (!work->digest)
                return restart_file(work, err);
        for (ssize_t got; (got = pread(work->fd, block, BLOCK, (off_t)work->have)) > 0; work->have += (uint64_t)got)
                digest_update(work->digest, block, (size_t)got);
        if (work->transfer->size_bytes && work->have > work->transfer->size_bytes)
                return restart_file(work, err);
        if (lseek(work->fd, (off_t)work->have, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek in %s", work->partial);
        return true;
}

static bool prepare_file(struct work *work, struct err *err) {
        bool locked = false;
        work->partial = xasprintf("%s.part", work->transfer->path);
        if (!fs_mkdirs_for(AT_FDCWD, work->partial, 0755, err) || !open_partial(work, &locked, err))
                return false;
        if (!locked) {
                free(work->partial);
                work->partial = xasprintf("%s.part.%d", work->transfer->path, (int)getpid());
                if (!open_partial(work, &locked, err))
                        return false;
        }
        return locked ? adopt_partial(work, err) : fail(err, ERR_LOCKED, 0, "%s is in use", work->partial);
}

static bool check_complete(struct work *work, struct err *err) {
        const struct transfer *transfer = work->transfer;
        if (transfer->size_bytes && work->have < transfer->size_bytes)
                return fail(err, ERR_CORRUPT, 0, "truncated: %" PRIu64 " of %" PRIu64 " bytes", work->have,
                            transfer->size_bytes);
        if (!transfer->checksum)
                return true;
        char hex[DIGEST_HEX_SIZE];
        digest_final(take_ptr(work->digest), hex);
        if (strcmp(hex, transfer->checksum) == 0)
                return true;
        auto_err ignored = { 0 };
        if (!restart_file(work, &ignored))
                work->have = 0;
        return fail(err, ERR_CHECKSUM, 0, "%s is %s, the metadata says %s", transfer->checksum_type, hex,
                    transfer->checksum);
}

static bool publish(struct batch *batch, struct work *work, struct err *err) {
        if (fchmod(work->fd, 0644) < 0 || rename(work->partial, work->transfer->path) < 0)
                return fail(err, ERR_SYSTEM, errno, "rename %s", work->partial);
        work->stage = FINISHED;
        batch->finished++;
        return true;
}

static bool start(struct batch *batch, struct work *work, struct err *err) {
        if (work->fd < 0 && !prepare_file(work, err))
                return false;
        auto_err ignored = { 0 };
        bool whole = work->transfer->size_bytes && work->have == work->transfer->size_bytes;
        if (whole && check_complete(work, &ignored))
                return publish(batch, work, err); // an earlier kiln was stopped just before its rename
        work->easy = curl_easy_init();
        if (!work->easy)
                return fail(err, ERR_INTERNAL, 0, "curl_easy_init failed");
        set_options(work);
        if (work->have > 0) {
                char range[32];
                snprintf(range, sizeof range, "%" PRIu64 "-", work->have);
                curl_easy_setopt(work->easy, CURLOPT_RANGE, range);
        }
        work->start = work->have;
        work->answered = false;
        work->found_wrong = false;
        work->curl_text[0] = '\0';
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
                work->stage = FINISHED;
                batch->finished++;
                unlink(work->partial);
                return true;
        }
        fail(err, work->error.kind, 0, "%s: %s: %s", work->transfer->name, current_url(work), work->error.text);
        size_t others = work->transfer->url_count - 1;
        if (others > 0)
                wrap(err, "%zu mirrors tried in vain, the last", others + 1);
        return false;
}

// Decides what becomes of a failed attempt: the same URL later, the next one, or the end.
static bool retry(struct batch *batch, struct work *work, long status, struct err *err) {
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
        if (!useful || work->refused[work->url])
                next_url(work);
        if (work->round >= ROUNDS)
                return give_up(batch, work, false, err);
        work->stage = WAITING;
        return true;
}

static bool finish_attempt(struct batch *batch, struct work *work, CURLcode code, struct err *err) {
        long status = 0;
        curl_easy_getinfo(work->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(batch->multi, work->easy);
        curl_easy_cleanup(take_ptr(work->easy));
        batch->running--;
        if (work->error.kind == ERR_DISK_FULL || work->error.kind == ERR_SYSTEM)
                return fail(err, work->error.kind, 0, "%s: %s", work->transfer->name, work->error.text);
        if (code == CURLE_OK) {
                if (!work->answered && work->start > 0 && !restart_file(work, err))
                        return false; // an empty answer to a range request
                err_release(&work->error);
                if (check_complete(work, &work->error))
                        return publish(batch, work, err);
                work->found_wrong = work->error.kind == ERR_CHECKSUM;
        } else if (!work->found_wrong) {
                fail(&work->error, ERR_NETWORK, 0, "%s",
                     work->curl_text[0] ? work->curl_text : curl_easy_strerror(code));
        }
        return retry(batch, work, status, err);
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
                        if (!finish_attempt(batch, (struct work *)(void *)private, code, err))
                                return false;
                }
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
        if (work->fd >= 0 && work->stage != FINISHED && (work->have == 0 || !work->transfer->checksum))
                unlink(work->partial); // nothing that a later run could go on with
        if (work->fd >= 0)
                close(work->fd);
        digest_free(work->digest);
        err_release(&work->error);
        free(work->partial);
        free(work->refused);
}

bool transfers_run(struct transfer *transfers, size_t count, struct progress *progress, struct err *err) {
        static bool ready;
        if (!ready)
                curl_global_init(CURL_GLOBAL_DEFAULT);
        ready = true;
        struct batch batch = { curl_multi_init(), xcalloc(count ? count : 1, sizeof(struct work)), count, 0, 0 };
        for (size_t i = 0; i < count; i++) {
                batch.works[i] = (struct work){ .transfer = &transfers[i], .progress = progress, .fd = -1 };
                batch.works[i].refused = xcalloc(transfers[i].url_count, sizeof(bool));
        }
        curl_multi_setopt(batch.multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PARALLEL);
        bool ok = run_all(&batch, err);
        for (size_t i = 0; i < count; i++)
                work_release(&batch, &batch.works[i]);
        curl_multi_cleanup(batch.multi);
        free(batch.works);
        return ok;
}
