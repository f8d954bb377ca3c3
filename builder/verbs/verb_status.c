// SPDX-License-Identifier: MIT
// kiln status.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "release/build_list.h"
#include "status/status.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

enum { DEADLINE_MS_DEFAULT = 2000, PAUSE_MS = 2000, STEP_MS = 100 };

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
        if (options->watch && !options->json && isatty(STDOUT_FILENO))
                fputs("\033[H\033[2J", stdout);
        return print_answer(status, options->json, JSON_COMPACT, status_print, err);
}

// What OUT/CLUSTER/current names, or the build that --build says; NULL: nothing is published here.
static bool find_wanted(const struct options *options, const struct cluster *cluster, char **ret, struct err *err) {
        struct build_list list = { 0 };
        const struct listed_build *found = NULL;
        const char *out = options_out_dir(options);
        auto_free char *current = xasprintf("%s/%s/current", out, cluster->name);
        char target[PATH_MAX];
        if (options->build) {
                bool ok = build_list_read(out, cluster->name, &list, err) &&
                          build_list_find(&list, options->build, &found, err);
                if (ok)
                        *ret = xstrdup(found->id);
                build_list_release(&list);
                return ok;
        }
        ssize_t length = readlink(current, target, sizeof target - 1);
        if (length > 0) {
                target[length] = '\0';
                *ret = xstrdup(target);
        }
        return true;
}

// Shows what ends a wait, which is also what is exited with, and every look of --watch.
static bool ask_and_show(const struct options *options, const struct cluster *cluster, bool is_last,
                         enum status_state *ret, struct err *err) {
        auto_free char *wanted = NULL; // asked for at each look: a build may be published meanwhile
        json_t *status = NULL;
        if (!find_wanted(options, cluster, &wanted, err))
                return false;
        const struct status_options ask = { &options->roles, number_or(options->timeout, DEADLINE_MS_DEFAULT), wanted };
        if (!status_ask(cluster, &ask, &status, ret, err))
                return false;
        bool is_shown = options->watch || is_last || *ret == STATUS_HEALTHY;
        bool ok = !is_shown || show_status(options, status, err);
        json_decref(status);
        return ok;
}

static bool ask_until(const struct options *options, const struct cluster *cluster, int64_t wait_s,
                      enum status_state *ret, struct err *err) {
        int64_t until_ms = monotonic_ms() + wait_s * 1000;
        bool is_endless = options->watch && !options->wait; // with --wait each look is shown until it is over
        for (;;) {
                bool is_last = monotonic_ms() >= until_ms;
                if (!ask_and_show(options, cluster, is_last, ret, err))
                        return false;
                if (!is_endless && (is_last || *ret == STATUS_HEALTHY))
                        return true;
                if (!pause_between(err))
                        return false;
        }
}

bool verb_status(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        enum status_state state = STATUS_UNKNOWN;
        int64_t wait_s = 0;
        if (options->timeout.given && options->timeout.value == 0)
                return fail(err, ERR_USAGE, 0, "--timeout takes at least 1 ms");
        if (options->wait && !options_read_duration(options->wait, &wait_s, err))
                return false;
        bool ok = options_load_cluster(options, &cluster, err) && ask_until(options, cluster, wait_s, &state, err);
        cluster_free(cluster);
        if (!ok)
                return false;
        return state == STATUS_HEALTHY || fail_with_answer(err, (int)state);
}
