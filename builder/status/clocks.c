// SPDX-License-Identifier: MIT
// Clocks of different nodes held against each other, by this machine's, which need not be right.
#include <assert.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "status/internal.h"

enum { CLOCKS_DIFFER_S = 2 };

bool clock_sample_http(const struct probe *probe, struct clock_sample *ret) {
        char text[64];
        struct tm fields = { 0 };
        if (!probe->is_http || !http_reader_header(&probe->http, &probe->answer, "Date", text, sizeof text))
                return false;
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &fields);
        if (!end || *end)
                return false;
        const double whole_second = 0.5; // the header has no parts of it
        ret->ahead_s = (double)timegm(&fields) + whole_second - probe->ended_s;
        ret->slack_s = whole_second + (double)probe->elapsed_ms / 1000;
        return true;
}

void clocks_judge(const struct clock_sample *samples, size_t count, json_t *findings) {
        assert(samples || count == 0);
        const struct clock_sample *first = samples, *last = samples;
        for (size_t i = 0; i < count; i++) {
                if (samples[i].ahead_s + samples[i].slack_s < first->ahead_s + first->slack_s)
                        first = &samples[i];
                if (samples[i].ahead_s - samples[i].slack_s > last->ahead_s - last->slack_s)
                        last = &samples[i];
        }
        if (count == 0 || (last->ahead_s - last->slack_s) - (first->ahead_s + first->slack_s) <= CLOCKS_DIFFER_S)
                return;
        auto_free char *evidence =
            xasprintf("%s is %.1f s ahead of %s; of this machine %s is %.1f s and %s %.1f s ahead", last->node->name,
                      last->ahead_s - first->ahead_s, first->node->name, last->node->name, last->ahead_s,
                      first->node->name, first->ahead_s);
        add_finding(findings, "clocks", evidence,
                    "does the one that is wrong reach a time server? On it: timedatectl, chronyc sources or ntpq -p",
                    false);
}
