// SPDX-License-Identifier: MIT
// kiln status.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "status/status.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

enum { DEADLINE_MS_DEFAULT = 2000, PAUSE_MS = 2000, STEP_MS = 100 };

// "90", "90s", "10m", "1h": seconds.
static bool read_duration(const char *text, int64_t *ret_s, struct err *err) {
        char *end;
        errno = 0;
        long number = strtol(text, &end, 10);
        static const struct {
                const char *unit;
                long seconds;
        } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
        for (size_t i = 0; i < lengthof(units); i++) {
                bool is_number = end != text && errno == 0 && number >= 0 && number <= 100000;
                if (is_number && strcmp(end, units[i].unit) == 0) {
                        *ret_s = number * units[i].seconds;
                        return true;
                }
        }
        return fail(err, ERR_USAGE, 0, "--wait takes a time such as 90s, 10m or 1h, not `%s`", text);
}

static bool pause_between(struct err *err) {
        for (int waited = 0; waited < PAUSE_MS; waited += STEP_MS) {
                if (!interrupt_check(err))
                        return false;
                usleep(STEP_MS * 1000);
        }
        return true;
}

// With --watch on a terminal the last picture is painted over; else pictures follow each other.
static bool show_status(const struct options *options, const json_t *status, struct err *err) {
        auto_buf text = { 0 }, printable = { 0 };
        if (options->watch && !options->json && isatty(STDOUT_FILENO))
                fputs("\033[H\033[2J", stdout);
        if (options->json) {
                auto_free char *json = json_dumps(status, JSON_COMPACT);
                puts(text_or(json, "{}"));
        } else {
                status_print(status, &text);
                mistake_printable(&printable, buf_text(&text), text.size); // nodes wrote parts of it
                fputs(buf_text(&printable), stdout);
        }
        return fflush(stdout) == 0 || fail(err, ERR_SYSTEM, errno, "write standard output");
}

static bool ask_and_show(const struct options *options, const struct cluster *cluster, bool is_shown,
                         enum status_state *ret, struct err *err) {
        const struct status_options ask = { &options->roles, number_or(options->timeout, DEADLINE_MS_DEFAULT) };
        json_t *status = NULL;
        bool ok = status_ask(cluster, &ask, &status, ret, err) && (!is_shown || show_status(options, status, err));
        json_decref(status);
        return ok;
}

static bool ask_until(const struct options *options, const struct cluster *cluster, int64_t wait_s,
                      enum status_state *ret, struct err *err) {
        int64_t until = time(NULL) + wait_s;
        for (;;) {
                bool is_shown = wait_s == 0 || options->watch;
                if (!ask_and_show(options, cluster, is_shown, ret, err))
                        return false;
                bool is_over = !options->watch && (*ret == STATUS_HEALTHY || time(NULL) >= until);
                if (is_over)
                        break;
                if (!pause_between(err))
                        return false;
        }
        return wait_s == 0 || ask_and_show(options, cluster, true, ret, err);
}

bool verb_status(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        enum status_state state = STATUS_UNKNOWN;
        int64_t wait_s = 0;
        if (options->wait && !read_duration(options->wait, &wait_s, err))
                return false;
        bool ok = options_load_cluster(options, &cluster, err) && ask_until(options, cluster, wait_s, &state, err);
        cluster_free(cluster);
        if (!ok)
                return false;
        return state == STATUS_HEALTHY || fail_with_answer(err, (int)state);
}
