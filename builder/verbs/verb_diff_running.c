// SPDX-License-Identifier: MIT
// kiln diff BUILD --running.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"
#include "diff/running_diff.h"
#include "release/build_list.h"
#include "verbs/running_state.h"
#include "verbs/verb_common.h"
#include "verbs/verb_diff.h"

// ---- builds ----

struct running_builds {
        const char *out;
        const struct build_list *list;
};

static bool find_running_build(void *context, const char *cluster, const char *id, char **ret_path, struct err *err) {
        const struct running_builds *builds = context;
        (void)err;
        for (size_t i = 0; i < builds->list->count; i++) {
                const struct listed_build *build = &builds->list->items[i];
                if (strcmp(build->id, id) != 0 || strcmp(build->cluster, cluster) != 0)
                        continue;
                *ret_path = listed_build_path(builds->out, build);
                return true;
        }
        return true;
}

// ---- the answer ----

static bool print_running(const struct options *options, const json_t *diff, struct err *err) {
        auto_buf text = { 0 }, printable = { 0 };
        if (options->node && !json_object_get(json_object_get(diff, "nodes"), options->node))
                return fail(err, ERR_REFERENCE, 0, "neither the build nor the server has a node %s", options->node);
        if (options->json) {
                auto_free char *json = json_dumps(diff, JSON_INDENT(2));
                puts(text_or(json, "{}"));
        } else {
                running_diff_print(diff, options->node, &text);
                mistake_printable(&printable, buf_text(&text), text.size);
                fputs(buf_text(&printable), stdout);
        }
        return output_finish(err);
}

bool diff_running(const struct options *options, const struct build_list *list, const char *path, bool *ret_same,
                  struct err *err) {
        struct running_builds builds = { options_out_dir(options), list };
        json_t *state = NULL, *diff = NULL;
        if (options->markdown)
                return fail(err, ERR_USAGE, 0, "--markdown shows two builds, not what runs");
        bool ok = running_state_read(options, &state, err);
        if (ok && !running_diff(state, path, find_running_build, &builds, &diff, err))
                ok = wrap(err, "--running %s", options->running);
        ok = ok && print_running(options, diff, err);
        if (ok)
                *ret_same = json_integer_value(json_object_get(diff, "reboot")) == 0 &&
                            json_integer_value(json_object_get(diff, "unknown")) == 0;
        json_decref(state);
        json_decref(diff);
        return ok;
}
