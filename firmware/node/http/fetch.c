// SPDX-License-Identifier: MIT
#include "firmware/node/http/fetch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/http/fetch_internal.h"
#include "firmware/node/root/file_sha256.h"

enum {
        PROGRESS_MS = 5000,
        DELAY_MS = 1000,
        DELAY_MAX_MS = 16000,
        PROGRESS_MIN_BYTES = 64 << 10, // what counts as moving, or the rest of the file
        RETRY_AFTER_MAX_S = 300,
        RETRY_AFTER_SUM_MAX_S = 1800,
        CONNECT_MS = 5000 // where there is another mirror: so long at most a dead one costs
};

// ---- what is fetched from where ----

static bool begins_url(const char *text) {
        return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

// Cuts at the next comma behind which a URL begins; commas inside of URLs stay.
static char *cut_next_url(char *text) {
        for (char *comma = text; (comma = strchr(comma, ',')); comma++) {
                if (!begins_url(comma + 1))
                        continue;
                *comma = '\0';
                return comma + 1;
        }
        return NULL;
}

void fetch_join(const char *urls, const char *name, struct buf *ret) {
        auto_free char *copy = xstrdup(urls);
        const char *separator = "";
        for (char *url = copy, *next; url; url = next) {
                next = cut_next_url(url);
                buf_printf(ret, "%s%s/%s", separator, url, name);
                separator = ",";
        }
}

static bool parse_mirrors(char *urls, struct download *ret, struct err *err) {
        while (urls) {
                if (ret->mirror_count == FETCH_MIRRORS_MAX)
                        return fail(err, ERR_USAGE, 0, "more than %d URLs", FETCH_MIRRORS_MAX);
                struct mirror *mirror = &ret->mirrors[ret->mirror_count++];
                char *next = cut_next_url(urls);
                mirror->text = urls;
                if (!url_parse(urls, &mirror->url, err))
                        return false;
                urls = next;
        }
        return true;
}

static bool is_size_known(const struct download *download) { return download->wanted > 0; }

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

bool download_open(struct download *download, const struct mirror *mirror, uint64_t first, uint64_t count,
                   struct http *ret, struct err *err) {
        struct http_request request = {
                .method = "GET", .first_byte = first, .byte_count = count, .timeout_ms = download->fetch->silence_ms
        };
        struct url url = mirror->url, next;
        if (download->mirror_count > 1)
                request.connect_ms = (int)size_min(CONNECT_MS, (size_t)request.timeout_ms);
        for (int i = 0; i <= HTTP_REDIRECTS_MAX; i++) {
                download->tally.requests++;
                if (!http_open(&url, &request, ret, err)) {
                        bool has_no_connection = i == 0 && ret->fd < 0;
                        download->is_deaf = has_no_connection && err->number != ECONNREFUSED;
                        return false;
                }
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
        download_advance(download, size);
        return true;
}

bool download_check_flow(const struct download *download, struct flow *flow, size_t size, struct err *err) {
        int64_t now = clock_now_ms(), passed_ms = now - flow->since_ms;
        flow->bytes += size;
        if (now >= download->end_ms)
                return fail(err, ERR_NETWORK, 0, "it takes longer than at %d KB/s", FETCH_RATE_MIN / 1000);
        if (passed_ms < download->fetch->silence_ms)
                return true;
        uint64_t wanted = (uint64_t)passed_ms * FETCH_RATE_MIN / 1000, got = flow->bytes;
        *flow = (struct flow){ .since_ms = now };
        return got >= wanted || fail(err, ERR_NETWORK, 0, "the server is too slow: %" PRIu64 " bytes in %d s", got,
                                     (int)(passed_ms / 1000));
}

static void tell_progress(struct download *download) {
        int64_t now = clock_now_ms();
        if (now - download->told_ms < PROGRESS_MS || !is_size_known(download))
                return;
        char text[96];
        uint64_t there = download->before + download->done;
        snprintf(text, sizeof text, "kiln: %" PRIu64 " of %" PRIu64 " MB fetched\n", download->done / 1000000,
                 download->wanted / 1000000);
        download->told_ms = now;
        download->fetch->tell(text);
        if (download->fetch->progress)
                download->fetch->progress((int)(there * 100 / (download->before + download->wanted)));
}

void download_advance(struct download *download, size_t size) {
        download->done += size;
        if (download->done > download->most)
                download->most = download->done;
        tell_progress(download);
}

static bool take_body(struct download *download, struct http *http, uint64_t known, struct err *err) {
        struct flow flow = { .since_ms = clock_now_ms() };
        for (;;) {
                size_t size;
                if (!http_read(http, download->block, FETCH_BLOCK_BYTES, &size, err))
                        return false;
                if (size == 0)
                        break;
                size_t skipped = size; // bytes that are in the file already
                if (known < size)
                        skipped = (size_t)known;
                known -= skipped;
                if (!append_bytes(download, download->block + skipped, size - skipped, err))
                        return false;
                download->tally.bytes += size;
                if (download->done < largest_size(download) && !download_check_flow(download, &flow, size, err))
                        return false;
        }
        return !is_size_known(download) || download->done == download->fetch->size_bytes ||
               fail(err, ERR_NETWORK, 0, "the server's file ends after %" PRIu64 " of %" PRIu64 " bytes",
                    download->done, download->fetch->size_bytes);
}

static bool check_fetched_digest(struct download *download, struct mirror *mirror, struct err *err) {
        char found[SHA256_HEX_SIZE];
        sha256_to_hex(&download->digest, found);
        if (!download->fetch->sha256 || strcasecmp(found, download->fetch->sha256) == 0)
                return true;
        if (!download->mixed) // else it may have changed meanwhile, or is another mirror's in part
                mirror->wrong_files++;
        download->apart |= download->mixed;
        return start_over(download, err) && fail(err, ERR_CHECKSUM, 0, "it has SHA-256 %s, %s %s", found,
                                                 download->fetch->named_by, download->fetch->sha256);
}

void download_note_refusal(struct download *download, const struct http_response *response) {
        bool busy = response->status == 503 || response->status == 429;
        if (busy && response->retry_after_s &&
            (!download->retry_after_s || response->retry_after_s < download->retry_after_s))
                download->retry_after_s = response->retry_after_s;
}

static bool fetch_once(struct download *download, struct mirror *mirror, struct err *err) {
        struct http http __attribute__((cleanup(http_close))) = { .fd = -1 };
        uint64_t known = 0;
        bool is_anothers = download->apart && download->last != mirror;
        if ((is_anothers || !is_size_known(download)) && !start_over(download, err))
                return false;
        download->last = mirror;
        download->mixed = download->done > 0;
        bool ok = download_open(download, mirror, download->done, 0, &http, err) &&
                  check_response(download, &http.response, &known, err) && take_body(download, &http, known, err) &&
                  check_fetched_digest(download, mirror, err);
        if (!ok) {
                download->past_end |= http.response.status == 416;
                download_note_refusal(download, &http.response);
        }
        return ok;
}

// ---- again and again ----

struct patience {
        int64_t moved_ms; // when there was progress
        uint64_t moved_bytes;
        int delay_ms;
};

static bool mirror_is_wrong(const struct mirror *mirror) { return mirror->wrong_files >= WRONG_FILES_MAX; }

static size_t count_wrong_mirrors(const struct download *download) {
        size_t wrong = 0;
        for (size_t i = 0; i < download->mirror_count; i++)
                wrong += mirror_is_wrong(&download->mirrors[i]);
        return wrong;
}

static bool is_beyond_repair(const struct download *download, const struct err *err) {
        return err->kind == ERR_SYSTEM || err->kind == ERR_DISK_FULL ||
               count_wrong_mirrors(download) == download->mirror_count;
}

// Parts are the cheaper way to a file that can be had whole: where one mirror sends none and no other one sent anything
// in its turn, nobody waits for the others to come back.
static bool is_better_whole(const struct download *download, uint64_t most_before) {
        bool is_still = download->most == most_before;
        return download->parts && is_still && download->retry_after_s == 0 && count_wrong_mirrors(download) > 0;
}

static void tell_failure(const struct download *download, const struct err *err, const char *next) {
        auto_buf text = { 0 };
        buf_printf(&text, "kiln: %s", err->text);
        if (is_size_known(download))
                buf_printf(&text, " (%" PRIu64 " of %" PRIu64 " bytes so far)", download->done, download->wanted);
        buf_printf(&text, "; %s\n", next);
        download->fetch->tell(buf_text(&text));
}

// Each mirror once, in their order, beginning with the one that served the caller before; the next one goes on where
// the one before stopped. One that swallows packets was waited for, and is the last one the next time. The last error
// counts.
static bool try_mirrors(struct download *download, struct err *err) {
        bool failed = false;
        size_t first = download->tally.mirror;
        for (size_t i = 0; i < download->mirror_count; i++) {
                size_t at = (first + i) % download->mirror_count;
                struct mirror *mirror = &download->mirrors[at];
                if (mirror_is_wrong(mirror))
                        continue;
                if (failed)
                        tell_failure(download, err, "trying the next mirror");
                err_release(err);
                download->is_deaf = false;
                if (download->once(download, mirror, err)) {
                        download->tally.mirror = at;
                        return true;
                }
                if (download->is_deaf && at == download->tally.mirror)
                        download->tally.mirror = (at + 1) % download->mirror_count;
                if (download->mirror_count > 1)
                        (void)wrap(err, "%s", mirror->text);
                if (is_beyond_repair(download, err))
                        return false;
                failed = true;
        }
        return false;
}

// The time limit is for standing still, and a byte now and then is no progress.
static void look_for_progress(const struct download *download, struct patience *patience) {
        uint64_t gained = download->most - patience->moved_bytes;
        if (!is_size_known(download))
                return; // it is begun anew each time
        bool complete = gained > 0 && download->most == download->wanted;
        if (gained < PROGRESS_MIN_BYTES && !complete)
                return;
        patience->moved_ms = clock_now_ms();
        patience->moved_bytes = download->most;
        patience->delay_ms = DELAY_MS;
}

// What the servers ask for is obeyed, within limits.
static unsigned asked_pause_s(const struct download *download) {
        unsigned asked = (unsigned)size_min(download->retry_after_s, RETRY_AFTER_MAX_S);
        if (download->retry_after_sum_s + asked > RETRY_AFTER_SUM_MAX_S)
                return 0;
        return asked;
}

static bool is_over(const struct download *download, const struct patience *patience, struct err *err) {
        int64_t now = clock_now_ms();
        if (asked_pause_s(download) > 0)
                return false;
        if (download->fetch->once)
                return true;
        if (now - patience->moved_ms >= download->fetch->give_up_ms)
                (void)wrap(err, "no progress in %d s", download->fetch->give_up_ms / 1000);
        else if (now >= download->end_ms)
                (void)wrap(err, "given up");
        else
                return false;
        return true;
}

// A quarter more at most, so that a rack that was switched on at once does not come back at once.
static int fetch_jitter_ms(int ms) {
        unsigned random = 0;
        (void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
        return ms + (int)(random % ((unsigned)ms / 4 + 1));
}

// What the servers asked for is no standing still.
static int next_delay_ms(struct download *download, struct patience *patience) {
        unsigned asked = asked_pause_s(download);
        if (asked > 0) {
                int ms = fetch_jitter_ms((int)asked * 1000);
                download->retry_after_sum_s += asked;
                download->end_ms += ms;
                patience->moved_ms += ms;
                return ms;
        }
        int ms = fetch_jitter_ms(patience->delay_ms);
        if (patience->delay_ms < DELAY_MAX_MS)
                patience->delay_ms *= 2;
        return ms;
}

static void pause_and_tell(struct download *download, struct patience *patience, const struct err *err) {
        char next[64];
        int delay_ms = next_delay_ms(download, patience);
        snprintf(next, sizeof next, "trying again in %d s", delay_ms / 1000);
        tell_failure(download, err, next);
        usleep((useconds_t)delay_ms * 1000);
}

static bool keep_trying(struct download *download, struct err *err) {
        struct patience patience = { .moved_ms = clock_now_ms(), .delay_ms = DELAY_MS };
        for (;;) {
                uint64_t before = download->done, most_before = download->most;
                download->past_end = false;
                download->retry_after_s = 0;
                if (try_mirrors(download, err))
                        return true;
                if (is_beyond_repair(download, err) || is_better_whole(download, most_before))
                        return false;
                look_for_progress(download, &patience);
                if (is_over(download, &patience, err))
                        return false;
                pause_and_tell(download, &patience, err);
                // What was fetched is no part of the file that is there now.
                if (download->past_end && download->done <= before && !start_over(download, err))
                        return false;
        }
}

bool download_run(struct download *download, char *urls, struct err *err) {
        int64_t now = clock_now_ms(), longest_ms = (int64_t)(largest_size(download) / FETCH_RATE_MIN * 1000);
        auto_free char *block = xmalloc(FETCH_BLOCK_BYTES);
        download->told_ms = now;
        download->end_ms = now + download->fetch->give_up_ms + longest_ms;
        download->block = block;
        if (download->fetch->tally)
                download->tally = *download->fetch->tally;
        bool ok = parse_mirrors(urls, download, err) && keep_trying(download, err);
        if (download->fetch->tally)
                *download->fetch->tally = download->tally;
        return ok;
}

// ---- all of it ----

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
        assert(fetch->urls && fetch->path && fetch->tell);
        assert(fetch->size_bytes > 0 || fetch->max_bytes > 0);
        assert(!fetch->sha256 || fetch->named_by);
        struct download download = { .fetch = fetch, .once = fetch_once, .wanted = fetch->size_bytes };
        auto_free char *urls = xstrdup(fetch->urls);
        auto_close int fd = open(fetch->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", fetch->path);
        download.fd = fd;
        return check_room(&download, err) && start_over(&download, err) && download_run(&download, urls, err);
}
