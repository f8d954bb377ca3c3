// SPDX-License-Identifier: MIT
// The questions of `kiln init`, one a value that no option gives.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "init/init.h"

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

static bool ask_into(struct arena *arena, const char *question, const char *otherwise, const char **into,
                     struct err *err) {
        if (*into)
                return true;
        const char *answer = ask(arena, question, otherwise);
        if (!answer) {
                putchar('\n');
                if (!interrupt_check(err))
                        return false;
                return fail(err, ERR_USAGE, 0, "no answer: nothing was written");
        }
        if (answer[0] && strcmp(answer, "none") != 0)
                *into = answer;
        return true;
}

static bool ask_nodes(struct arena *arena, struct init_options *options, struct err *err) {
        struct strings roles;
        if (options->nodes.count > 0 || options->from)
                return true;
        if (!init_roles(arena, &roles, err))
                return false;
        for (size_t i = 0; i < roles.count; i++) {
                const char *question = arena_printf(arena, "How many machines are a %s?", roles.items[i]);
                const char *count = NULL;
                if (!ask_into(arena, question, "0", &count, err))
                        return false;
                if (strcmp(text_or(count, "0"), "0") != 0)
                        strings_add_once(arena, &options->nodes, arena_printf(arena, "%s=%s", roles.items[i], count));
        }
        return true;
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

bool init_ask(struct arena *arena, struct init_options *options, struct err *err) {
        printf("A new cluster in %s. An empty answer takes what stands in [].\n", options->dir);
        if (!ask_into(arena, "Which release?", INIT_RELEASE, &options->release, err) || !ask_nodes(arena, options, err))
                return false;
        if (!options->from && !ask_into(arena, "Which subnet are they in?", INIT_SUBNET, &options->subnet, err))
                return false;
        return ask_into(arena, "Who may log in: the file of a public SSH key?", own_key(arena), &options->ssh_key, err);
}
