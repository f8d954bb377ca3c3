// SPDX-License-Identifier: MIT
// kiln init.
#include <stdio.h>
#include <unistd.h>

#include "init/init.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

// What somebody gets who only presses Enter.
static const char *const small_cluster[] = { "master=3", "slave=1", "balancer=1" };

// --masters 3 is --nodes master=3.
static void add_counts(struct arena *arena, const struct options *options, struct strings *nodes) {
        const struct {
                const char *role;
                struct number number;
        } counts[] = { { "master", options->masters },
                       { "slave", options->slaves },
                       { "balancer", options->balancers },
                       { "registry", options->registries } };
        for (size_t i = 0; i < options->nodes.count; i++)
                strings_add_once(arena, nodes, options->nodes.items[i]);
        for (size_t i = 0; i < lengthof(counts); i++)
                if (counts[i].number.given && counts[i].number.value > 0)
                        strings_add_once(arena, nodes,
                                         arena_printf(arena, "%s=%u", counts[i].role, counts[i].number.value));
}

static bool init_with(const struct options *options, struct arena *arena, struct err *err) {
        struct init_options init = { .dir = options->arguments[0],
                                     .name = options->name,
                                     .release = options->release,
                                     .subnet = options->subnet,
                                     .gateway = options->gateway,
                                     .dns = options->dns,
                                     .server = options->server,
                                     .ssh_key = options->ssh_key,
                                     .from = options->from,
                                     .is_dry = options->dry_run };
        if (options->roles.count > 1)
                return fail(err, ERR_USAGE, 0, "--role: one role is for all that nothing tells of");
        if (options->roles.count > 0)
                init.role = options->roles.items[0];
        add_counts(arena, options, &init.nodes);
        if (init.from && init.nodes.count > 0)
                return fail(err, ERR_USAGE, 0,
                            "--from has the machines: numbers of them are for a cluster without a list");
        bool is_dialogue = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !options->yes;
        if (is_dialogue && !init_ask(arena, &init, err))
                return false;
        if (!init.from && !is_dialogue && init.nodes.count == 0)
                init.nodes = (struct strings){ (const char **)small_cluster, lengthof(small_cluster) };
        struct init_result result;
        if (!init_write(&init, &result, err))
                return false;
        if (result.text) {
                fputs(result.text, stdout);
                free(result.text);
                free(result.path);
                return true;
        }
        if (options->json) {
                json_t *answer = json_pack("{ss sI sb}", "path", result.path, "nodes", (json_int_t)result.node_count,
                                           "key", init.ssh_key != NULL);
                free(result.path);
                return answer_give(answer, err);
        }
        printf("%s: %zu nodes\n", result.path, result.node_count);
        if (!init.ssh_key)
                printf("Nobody can log in to them yet: put your public key into `variables.ssh_authorized_keys`.\n");
        printf("Next: look at it, then `kiln check %s` and `kiln build %s`.\n", result.path, result.path);
        printf("Builds are published in %s/out: %s/" DEFAULTS_NAME " says so.\n", init.dir, init.dir);
        free(result.path);
        return true;
}

bool verb_init(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        bool ok = init_with(options, &arena, err);
        arena_release(&arena);
        return ok;
}
