// SPDX-License-Identifier: MIT
// kiln rollout.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "rollout/rollout.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

enum { QUESTION_MS = 2000, STEP_TIMEOUT_S = 15 * 60 };

static bool check_deeds(const struct options *options, struct err *err) {
        int deeds = options->go + options->resume + options->abort + options->back;
        if (deeds > 1)
                return fail(err, ERR_USAGE, 0, "one of --go, --resume, --abort and --back");
        bool names_build = options->argument_count > 1 || options->from;
        if (names_build && deeds == 1 && !options->go)
                return fail(err, ERR_USAGE, 0, "--resume, --abort and --back know their builds: name none");
        if (options->timeout.given && options->timeout.value == 0)
                return fail(err, ERR_USAGE, 0, "--timeout takes at least 1 ms");
        return true;
}

static bool check_means(const char *means, struct err *err) {
        for (size_t i = 0; means && rollout_reboot_names[i]; i++)
                if (strcmp(means, rollout_reboot_names[i]) == 0)
                        return true;
        return !means || fail(err, ERR_USAGE, 0, "--reboot takes ssh, ipmi or button, not `%s`", means);
}

// The plan is the output; what forbids it is in it, and decides the exit status.
static bool plan_and_show(const struct options *options, const struct cluster *cluster,
                          const struct rollout_options *rollout, struct err *err) {
        json_t *plan = NULL;
        if (!rollout_plan(cluster, rollout, &plan, err))
                return false;
        bool is_refused = json_array_size(json_object_get(plan, "problems")) > 0;
        bool ok = print_answer(plan, options->json, JSON_INDENT(2), rollout_plan_print, err);
        json_decref(plan);
        return ok && (!is_refused || fail_with_answer(err, 1));
}

static bool run_rollout(const struct options *options, const struct cluster *cluster,
                        const struct rollout_options *rollout, struct err *err) {
        if (options->go)
                return rollout_go(cluster, rollout, err);
        if (options->resume)
                return rollout_resume(cluster, rollout, err);
        if (options->abort)
                return rollout_abort(cluster, rollout, err);
        if (options->back)
                return rollout_back(cluster, rollout, err);
        return plan_and_show(options, cluster, rollout, err);
}

bool verb_rollout(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        int64_t timeout_s = STEP_TIMEOUT_S;
        if (!check_deeds(options, err) || !check_means(options->reboot, err))
                return false;
        if (options->wait && !options_read_duration(options->wait, &timeout_s, err))
                return false;
        if (!options_load_cluster(options, &cluster, err))
                return false;
        struct rollout_options rollout = { .out = options_out_dir(options),
                                           .from = options->from,
                                           .only = &options->only,
                                           .forced = &options->force,
                                           .reboot = options->reboot,
                                           .ssh_config = options->ssh_config,
                                           .serve_state = options->state_dir,
                                           .canary = options->canary,
                                           .take_lock = options->take_lock,
                                           .deadline_ms = number_or(options->timeout, QUESTION_MS),
                                           .timeout_s = timeout_s,
                                           .jobs = processor_count() };
        if (options->argument_count > 1)
                rollout.build = options->arguments[1];
        bool ok = run_rollout(options, cluster, &rollout, err);
        cluster_free(cluster);
        return ok;
}
