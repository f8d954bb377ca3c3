// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/report.h"
#include "firmware/node/root/root.h"

enum { REPORT_MAX = 4 << 20, ANSWER_WAIT_MS = 15000, DELAY_MS = 1000, DELAY_MAX_MS = 60000 };

// Whether asking again may help.
static bool is_passing(int status) {
        return status / 100 == 5 || status == 404 || status == 408 || status == 425 || status == 429;
}

bool report_post(const struct url *url, const char *body, size_t size, bool *ret_again, struct err *err) {
        assert(url && body && ret_again);
        struct http http __attribute__((cleanup(http_close))) = { .fd = -1 };
        const struct http_request request = {
                .method = "POST", .body = body, .body_size = size, .timeout_ms = ANSWER_WAIT_MS
        };
        *ret_again = true;
        if (!http_open(url, &request, &http, err))
                return false;
        int status = http.response.status;
        if (status / 100 == 2)
                return true;
        *ret_again = is_passing(status);
        if (status / 100 == 3)
                return fail(err, ERR_NETWORK, 0, "the server says that it moved to \"%s\": enter that as report_url",
                            http.response.location);
        return fail(err, ERR_NETWORK, 0, "the server says %d (%s)", status, http_status_text(status));
}

static bool read_report(int root, struct buf *ret, struct err *err) {
        bool found;
        ret->max = REPORT_MAX;
        if (!root_read(root, "/run/kiln/report.json", ret, &found, err))
                return false;
        return found || fail(err, ERR_REFERENCE, 0, "there is no /run/kiln/report.json: did kiln-node apply run?");
}

static int64_t lesser(int64_t a, int64_t b) {
        if (a < b)
                return a;
        return b;
}

bool report_send(int root, const char *text, int give_up_ms, struct err *err) {
        assert(root >= 0 && text && give_up_ms >= 0);
        auto_buf report = { 0 };
        struct url url;
        int64_t deadline = clock_now_ms() + give_up_ms;
        if (!url_parse(text, &url, err) || !read_report(root, &report, err))
                return false;
        for (int delay_ms = DELAY_MS;;) {
                bool again;
                err_release(err);
                if (report_post(&url, buf_text(&report), report.size, &again, err))
                        return true;
                int64_t left_ms = deadline - clock_now_ms();
                if (!again || left_ms <= 0)
                        return wrap(err, "send the report to %s", text);
                usleep((useconds_t)lesser(delay_ms, left_ms) * 1000);
                delay_ms = (int)lesser(2 * delay_ms, DELAY_MAX_MS);
        }
}
