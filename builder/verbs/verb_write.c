// SPDX-License-Identifier: MIT
// kiln write.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "release/stick_write.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

// What is on the disk may be anybody's text.
static bool ask_to_overwrite(const char *what, void *context, struct err *err) {
        const struct options *options = context;
        auto_buf shown = { 0 };
        auto_free char *line = NULL;
        size_t capacity = 0;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                fail(err, ERR_USAGE, 0, "%s would be overwritten, and nobody is here to be asked",
                     options->arguments[2]);
                return hint(err, "--yes says that it may be; --dry-run says what is on it");
        }
        mistake_printable(&shown, what, strlen(what));
        fprintf(stderr, "%s\nAll of it will be lost. Write to %s? Type yes: ", buf_text(&shown), options->arguments[2]);
        bool is_answered = getline(&line, &capacity, stdin) > 0;
        if (!interrupt_check(err))
                return false;
        if (is_answered && strcmp(line, "yes\n") == 0)
                return true;
        return fail(err, ERR_USAGE, 0, "not written: the answer was not yes");
}

bool verb_write(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        auto_free char *build = NULL;
        if (!options_load_cluster(options, &cluster, err))
                return false;
        bool ok = options_find_build(options, options->build, cluster->name, &build, err);
        cluster_free(cluster);
        struct stick_options stick = {
                .build = build,
                .role = options->arguments[1],
                .device = options->arguments[2],
                .allow_fixed = options->fixed,
                .allow_file = options->to_file,
                .dry_run = options->dry_run,
                .context = (void *)options,
        };
        if (!options->yes)
                stick.confirm = ask_to_overwrite;
        return ok && stick_write(&stick, err);
}
