// SPDX-License-Identifier: MIT
// kiln shell.
#include "base/mem.h"
#include "release/published_root.h"
#include "sandbox/sandbox.h"
#include "sandbox/sandbox_shell.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

// What follows the role, or a shell that every root has.
static const char *const *command_of(const struct options *options, struct arena *arena) {
        size_t count = options->argument_count - 2;
        const char **argv = arena_alloc(arena, (count + 2) * sizeof *argv);
        for (size_t i = 0; i < count; i++)
                argv[i] = options->arguments[i + 2];
        if (count == 0)
                argv[0] = "sh";
        return argv;
}

static bool run_in_root(const struct options *options, const char *build, struct arena *arena, struct err *err) {
        auto_close int root = -1;
        int status = 0;
        const char *role = options->arguments[1];
        if (!sandbox_enter(err) || !published_root_open(build, role, options->writable, &root, err))
                return false;
        const struct sandbox_shell shell = {
                .root = root,
                .host_name = role,
                .argv = command_of(options, arena),
                .has_network = options->with_network,
        };
        if (!sandbox_shell_run(&shell, &status, err))
                return false;
        return status == 0 || fail_with_answer(err, status);
}

bool verb_shell(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        struct arena arena = { 0 };
        auto_free char *build = NULL;
        bool ok = options_load_cluster(options, &cluster, err) &&
                  options_find_build(options, options->build, cluster->name, &build, err) &&
                  run_in_root(options, build, &arena, err);
        cluster_free(cluster);
        arena_release(&arena);
        return ok;
}
