// SPDX-License-Identifier: MIT
#include "verbs/usage.h"

#include <stdio.h>

#include "base/mem.h"
#include "verbs/options.h"

void usage_print(FILE *to) {
        fputs("usage: kiln VERB [OPTION]... ARGUMENT...\n\n", to);
        for (size_t i = 0; i < verb_table_count; i++)
                fprintf(to, "  %-8s %-25s %s\n", verb_table[i].name, verb_table[i].arguments, verb_table[i].summary);
        fputs("\nkiln VERB --help lists a verb's options; kiln --version prints the version;\n"
              "kiln help VERB shows its page, kiln help kiln lists the others; kiln completion bash|zsh|fish prints a "
              "shell's completion.\n\nexit codes:\n",
              to);
#define X(name, code, meaning) fprintf(to, "  %3d  %s\n", code, meaning);
        ERR_KINDS(X)
#undef X
}

static void print_help_line(const struct option_text *option, void *context) {
        (void)context;
        const char *blank = option->value ? " " : "";
        char letter[] = "-x, ";
        letter[1] = option->letter;
        auto_free char *left =
            xasprintf("%s--%s%s%s", option->letter ? letter : "", option->name, blank, text_or(option->value, ""));
        printf("  %-22s %s\n", left, option->help);
}

void usage_print_verb(const struct verb *verb) {
        printf("usage: kiln %s [OPTION]... %s\n\n%s\n\n", verb->name, verb->arguments, verb->summary);
        options_each(verb, print_help_line, NULL);
}
