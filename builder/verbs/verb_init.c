// SPDX-License-Identifier: MIT
// kiln init.
#include <stdio.h>
#include <unistd.h>

#include "base/shell_word.h"
#include "init/init.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

// What somebody gets who only presses Enter, and who says nothing of machines.
static const char *small_cluster_nodes[] = { "master=3", "slave=1", "balancer=1" };
static const struct strings small_cluster = { small_cluster_nodes, lengthof(small_cluster_nodes) };

static void add_count(struct arena *arena, struct strings *nodes, const char *text) {
        nodes->items = arena_grow(arena, nodes->items, nodes->count, sizeof *nodes->items);
        nodes->items[nodes->count++] = text;
}

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
                add_count(arena, nodes, options->nodes.items[i]);
        for (size_t i = 0; i < lengthof(counts); i++)
                if (counts[i].number.given)
                        add_count(arena, nodes, arena_printf(arena, "%s=%u", counts[i].role, counts[i].number.value));
}

static bool read_init_options(const struct options *options, struct arena *arena, struct init_options *ret,
                              struct err *err) {
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
        *ret = init;
        return true;
}

static bool answer_init(const struct init_options *init, const struct init_result *result, struct err *err) {
        json_t *answer = json_pack("{ss sI sb}", "path", result->path, "nodes", (json_int_t)result->node_count, "key",
                                   init->ssh_key != NULL);
        if (result->text)
                (void)!json_object_set_new(answer, "text", json_string(result->text));
        return answer_give(answer, err);
}

static void print_init(struct arena *arena, const struct init_options *init, const struct init_result *result) {
        if (result->text) {
                fputs(result->text, stdout);
                return;
        }
        const char *word = shell_word(arena, result->path);
        printf("%s: %zu nodes\n", result->path, result->node_count);
        if (!init->ssh_key)
                printf("Nobody can log in to them yet: put your public key into `variables.ssh_authorized_keys`.\n");
        printf("Next: look at it, then `kiln check %s` and `kiln build %s`.\n", word, word);
        printf("Builds are published in %s/out: %s/" DEFAULTS_NAME " says so.\n", init->dir, init->dir);
}

static bool init_with(const struct options *options, struct arena *arena, struct err *err) {
        struct init_options init;
        struct init_result result;
        if (!read_init_options(options, arena, &init, err))
                return false;
        bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        bool is_dialogue = is_terminal && !options->yes && !options->json;
        if (is_dialogue && !init_ask(arena, &small_cluster, &init, err))
                return false;
        if (!init.from && init.nodes.count == 0)
                init.nodes = small_cluster;
        if (!init_write(&init, &result, err))
                return false;
        bool ok = true;
        if (options->json)
                ok = answer_init(&init, &result, err);
        else
                print_init(arena, &init, &result);
        init_result_release(&result);
        return ok;
}

bool verb_init(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        bool ok = init_with(options, &arena, err);
        arena_release(&arena);
        return ok;
}
