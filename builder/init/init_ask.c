// SPDX-License-Identifier: MIT
// The questions of `kiln init`, one a value that no option gives.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "init/init.h"
#include "init/init_values.h"

struct dialogue {
        struct arena *arena;
        struct init_options *options;
        const struct strings *nodes; // what an empty answer means
};

typedef bool answer_check(const struct dialogue *dialogue, const char *answer, struct err *err);

// What is typed, or `otherwise` for an empty line; NULL after the end of input or a signal.
static const char *ask(struct arena *arena, const char *question, const char *otherwise) {
        auto_free char *line = NULL;
        size_t capacity = 0;
        printf("%s [%s]: ", question, otherwise[0] ? otherwise : "none");
        (void)fflush(stdout);
        ssize_t length = getline(&line, &capacity, stdin);
        if (length < 0)
                return NULL;
        while (length > 0 && strchr("\r\n \t", line[length - 1]))
                line[--length] = '\0';
        const char *start = line + strspn(line, " \t");
        if (!*start)
                return otherwise;
        return arena_strdup(arena, start);
}

static void tell_refusal(const struct err *wrong) {
        printf("%s\n", wrong->text);
        if (wrong->hint)
                printf("hint: %s\n", wrong->hint);
}

// Until the answer passes. "none", or an empty one where there is no default, leaves `*into` NULL.
static bool ask_into(const struct dialogue *dialogue, const char *question, const char *otherwise, answer_check *check,
                     const char **into, struct err *err) {
        while (!*into) {
                auto_err wrong = { 0 };
                const char *answer = ask(dialogue->arena, question, otherwise);
                if (!answer) {
                        putchar('\n');
                        if (!interrupt_check(err))
                                return false;
                        return fail(err, ERR_USAGE, 0, "no answer: nothing was written");
                }
                if (!answer[0] || strcmp(answer, "none") == 0)
                        return true;
                if (check(dialogue, answer, &wrong))
                        *into = answer;
                else
                        tell_refusal(&wrong);
        }
        return true;
}

// ---- what an answer must be ----

static bool check_release_answer(const struct dialogue *dialogue, const char *answer, struct err *err) {
        return init_release_find(dialogue->arena, dialogue->options->dir, answer, err);
}

static bool check_subnet_answer(const struct dialogue *dialogue, const char *answer, struct err *err) {
        struct in_addr subnet;
        int prefix;
        return init_subnet_read(dialogue->arena, answer, &subnet, &prefix, err);
}

static bool check_count_answer(const struct dialogue *dialogue, const char *answer, struct err *err) {
        unsigned count;
        (void)dialogue;
        return init_count_read(answer, &count, err);
}

static bool check_key_answer(const struct dialogue *dialogue, const char *answer, struct err *err) {
        struct strings keys;
        return init_keys_read(dialogue->arena, answer, &keys, err);
}

// Whether all that is known gives a cluster, with `nodes` where the options name no machines.
static bool try_options(const struct init_options *options, const struct strings *nodes, struct err *err) {
        struct init_options trial = *options;
        struct init_result result;
        if (!trial.from && trial.nodes.count == 0)
                trial.nodes = *nodes;
        trial.is_dry = true;
        trial.is_trial = true;
        if (!init_write(&trial, &result, err))
                return false;
        init_result_release(&result);
        return true;
}

// ---- the questions ----

// The default of a role among "ROLE=N" ones.
static const char *default_count(const struct strings *nodes, const char *role) {
        size_t length = strlen(role);
        for (size_t i = 0; i < nodes->count; i++)
                if (strncmp(nodes->items[i], role, length) == 0 && nodes->items[i][length] == '=')
                        return nodes->items[i] + length + 1;
        return "0";
}

// Those with a default first, in its order.
static bool order_roles(const struct dialogue *dialogue, struct strings *ret, struct err *err) {
        struct strings roles, ordered = { 0 };
        if (!init_roles(dialogue->arena, &roles, err))
                return false;
        for (size_t i = 0; i < dialogue->nodes->count; i++) {
                const char *text = dialogue->nodes->items[i];
                const char *role = arena_strndup(dialogue->arena, text, strcspn(text, "="));
                if (strings_have(&roles, role))
                        strings_add_once(dialogue->arena, &ordered, role);
        }
        for (size_t i = 0; i < roles.count; i++)
                strings_add_once(dialogue->arena, &ordered, roles.items[i]);
        *ret = ordered;
        return true;
}

static bool ask_counts(const struct dialogue *dialogue, const struct strings *roles, struct err *err) {
        struct strings *nodes = &dialogue->options->nodes;
        *nodes = (struct strings){ 0 };
        for (size_t i = 0; i < roles->count; i++) {
                const char *role = roles->items[i], *count = NULL;
                const char *question = arena_printf(dialogue->arena, "How many machines are a %s?", role);
                if (!ask_into(dialogue, question, default_count(dialogue->nodes, role), check_count_answer, &count,
                              err))
                        return false;
                strings_add_once(dialogue->arena, nodes,
                                 arena_printf(dialogue->arena, "%s=%s", role, text_or(count, "0")));
        }
        return true;
}

// All of them again where they give no cluster: two masters, or more machines than the subnet has addresses.
static bool ask_nodes(const struct dialogue *dialogue, struct err *err) {
        struct strings roles;
        if (dialogue->options->nodes.count > 0 || dialogue->options->from)
                return true;
        if (!order_roles(dialogue, &roles, err))
                return false;
        for (;;) {
                auto_err wrong = { 0 };
                if (!ask_counts(dialogue, &roles, err))
                        return false;
                if (try_options(dialogue->options, dialogue->nodes, &wrong))
                        return true;
                tell_refusal(&wrong);
        }
}

static const char *own_key(struct arena *arena) {
        static const char *const names[] = { "id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub" };
        const char *home = getenv("HOME");
        for (size_t i = 0; home && i < lengthof(names); i++) {
                const char *path = arena_printf(arena, "%s/.ssh/%s", home, names[i]);
                if (fs_exists(AT_FDCWD, path))
                        return path;
        }
        return "";
}

bool init_ask(struct arena *arena, const struct strings *nodes, struct init_options *options, struct err *err) {
        struct dialogue dialogue = { arena, options, nodes };
        const struct strings first = { nodes->items, size_min(nodes->count, 1) }; // fits into the smallest subnet
        if (!init_check_place(options, err) || !try_options(options, &first, err))
                return false;
        printf("A new cluster in %s. An empty answer takes what stands in [].\n", options->dir);
        if (!ask_into(&dialogue, "Which release?", INIT_RELEASE, check_release_answer, &options->release, err))
                return false;
        if (!options->from && !ask_into(&dialogue, "Which subnet are the machines in?", INIT_SUBNET,
                                        check_subnet_answer, &options->subnet, err))
                return false;
        return ask_nodes(&dialogue, err) && ask_into(&dialogue, "Who may log in: the file of a public SSH key?",
                                                     own_key(arena), check_key_answer, &options->ssh_key, err);
}
