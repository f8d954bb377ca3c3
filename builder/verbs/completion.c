// SPDX-License-Identifier: MIT
#include "verbs/completion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/locations.h"
#include "base/mem.h"
#include "init/init.h"
#include "profile/defaults.h"
#include "profile/profile.h"
#include "release/build_list.h"
#include "verbs/manual.h"
#include "verbs/options.h"
#include "verbs/verb.h"
#include "verbs/verb_schema.h"

// ---- the case of a shell that has words in variables: bash and zsh ----

#define HELP_SUMMARY "Show a page of the manual."

static void print_option_word(const struct option_text *option, void *context) {
        (void)context;
        printf("--%s ", option->name);
}

// What completion_print_words() knows of an option's value, or NULL.
static const char *words_of(const struct option_text *option) {
        static const char *const known[] = { "NODE", "ROLE", "BUILD" };
        if (strcmp(option->name, "release") == 0)
                return "RELEASE";
        if (strcmp(option->name, "only") == 0 && strcmp(text_or(option->value, ""), "KIND") == 0)
                return "ARTEFACT";
        for (size_t i = 0; option->value && i < lengthof(known); i++)
                if (strcmp(option->value, known[i]) == 0)
                        return known[i];
        return NULL;
}

// "--role=ROLE" for options whose values kiln knows; "--out=FILE" for the others.
static void print_option_value(const struct option_text *option, void *context) {
        (void)context;
        if (option->value)
                printf("--%s=%s ", option->name, text_or(words_of(option), "FILE"));
}

// The sub-verbs of "up|ps|down [ARGUMENT...]" and "[serve]": words to choose from, where a first argument is one of
// them.
static void print_choices(const char *arguments) {
        arguments += strspn(arguments, "[");
        size_t length = strcspn(arguments, " ]");
        bool has_choices = islower((unsigned char)arguments[0]);
        for (size_t i = 0; has_choices && i < length; i++)
                putchar(arguments[i] == '|' ? ' ' : arguments[i]);
}

// "CLUSTER.yaml [KEY|/FILE]" without its brackets and dots behind.
static void print_places(const char *arguments) {
        for (; *arguments; arguments++)
                if (!strchr("[]", *arguments))
                        putchar(*arguments);
}

static void print_cases(void) {
        for (size_t i = 0; i < verb_table_count; i++) {
                printf("        %s) options=\"", verb_table[i].name);
                options_each(&verb_table[i], print_option_word, NULL);
                printf("\" values=\"");
                options_each(&verb_table[i], print_option_value, NULL);
                printf("\" choices=\"");
                print_choices(verb_table[i].arguments);
                printf("\" places=\"");
                print_places(verb_table[i].arguments);
                puts("\" ;;");
        }
        puts("        help) places=PAGE ;;");
}

static void print_verbs(void) {
        for (size_t i = 0; i < verb_table_count; i++)
                printf("%s ", verb_table[i].name);
        printf("help");
}

// Files are completed as files: a directory gets its slash and no blank.
static void print_bash(void) {
        puts("_kiln() {\n"
             "        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n"
             "        local options= values= choices= places= value= cluster= part count=0");
        printf("        if [ \"$COMP_CWORD\" = 1 ]; then\n                mapfile -t COMPREPLY < <(compgen -W \"");
        print_verbs();
        puts("\" -- \"$word\")\n                return\n        fi\n        case $verb in");
        print_cases();
        puts("        esac\n"
             "        for part in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
             "                [[ $part == *.yaml && -z $cluster ]] && cluster=$part\n"
             "                [[ $part != -* ]] && count=$((count + 1))\n"
             "        done\n"
             "        if [[ $word == -* ]]; then\n"
             "                mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
             "                return\n"
             "        fi\n"
             "        if [ \"$COMP_CWORD\" = 2 ] && [ \"$choices\" ]; then\n"
             "                mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$word\")\n"
             "                return\n"
             "        fi\n"
             "        for part in $values; do [ \"${part%%=*}\" = \"$before\" ] && value=${part#*=}; done\n"
             "        if [ -z \"$value\" ]; then\n"
             "                set -f; set -- $places; set +f\n"
             "                shift \"$count\" 2>/dev/null || shift $#\n"
             "                value=${1%%...}\n"
             "        fi\n"
             "        mapfile -t COMPREPLY < <(compgen -W \"$(kiln completion words \"$value\" \"$cluster\" "
             "2>/dev/null)\" "
             "-- \"$word\")\n"
             "        [ ${#COMPREPLY[@]} -gt 0 ] && return\n"
             "        compopt -o filenames 2>/dev/null\n"
             "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
             "}\ncomplete -F _kiln kiln");
}

static void print_zsh(void) {
        puts("#compdef kiln\n"
             "_kiln() {\n"
             "        local before=$words[CURRENT-1] verb=$words[2] options= values= choices= places= value= cluster= "
             "part\n"
             "        local -a found\n        integer count=0\n        if (( CURRENT == 2 )); then\n                "
             "found=(");
        for (size_t i = 0; i < verb_table_count; i++)
                printf("                        '%s:%s'\n", verb_table[i].name, verb_table[i].summary);
        puts("                        'help:" HELP_SUMMARY
             "'\n                )\n                _describe verb found\n                return\n        fi\n        "
             "case $verb in");
        print_cases();
        puts("        esac\n"
             "        for part in ${words[3,CURRENT-1]}; do\n"
             "                [[ $part == *.yaml && -z $cluster ]] && cluster=$part\n"
             "                [[ $part != -* ]] && (( count += 1 ))\n"
             "        done\n"
             "        if [[ $words[CURRENT] == -* ]]; then\n"
             "                found=(${=options}); compadd -a found; return\n"
             "        fi\n"
             "        if (( CURRENT == 3 )) && [[ -n $choices ]]; then\n"
             "                found=(${=choices}); compadd -a found; return\n"
             "        fi\n"
             "        for part in ${=values}; do [[ ${part%%=*} == $before ]] && value=${part#*=}; done\n"
             "        if [[ -z $value ]]; then\n"
             "                found=(${=places}); value=${found[count+1]%%...}\n"
             "        fi\n"
             "        found=(${(f)\"$(kiln completion words \"$value\" \"$cluster\" 2>/dev/null)\"})\n"
             "        if (( $#found )); then compadd -a found; else _files; fi\n"
             "}\n"
             "compdef _kiln kiln");
}

// ---- fish ----

static void print_quoted(const char *text) {
        putchar('\'');
        for (; *text; text++) {
                if (strchr("'\\", *text))
                        putchar('\\');
                putchar(*text);
        }
        putchar('\'');
}

static void print_fish_option(const struct option_text *option, void *context) {
        const struct verb *verb = context;
        printf("complete -c kiln -n '__fish_seen_subcommand_from %s' -l %s", verb->name, option->name);
        if (option->letter)
                printf(" -s %c", option->letter);
        if (words_of(option))
                printf(" -r -f -a '(__kiln_words %s)'", words_of(option));
        else if (option->value)
                printf(" -r");
        printf(" -d ");
        print_quoted(option->help);
        putchar('\n');
}

static void print_fish(void) {
        puts("function __kiln_words\n"
             "        kiln completion words $argv[1] (commandline -opc | string match -r '.*[.]yaml')[1] 2>/dev/null\n"
             "end");
        for (size_t i = 0; i < verb_table_count; i++) {
                const struct verb *verb = &verb_table[i];
                printf("complete -c kiln -n __fish_use_subcommand -f -a %s -d ", verb->name);
                print_quoted(verb->summary);
                putchar('\n');
                options_each(verb, print_fish_option, (void *)verb);
                const char *places = strchr(verb->arguments, ' ');
                if (strstr(verb->arguments, "SCHEMA"))
                        printf("complete -c kiln -n '__fish_seen_subcommand_from %s' -f -a '(__kiln_words SCHEMA)'\n",
                               verb->name);
                if (strstr(text_or(places, ""), "NODE"))
                        printf("complete -c kiln -n '__fish_seen_subcommand_from %s' -a '(__kiln_words NODE)'\n",
                               verb->name);
        }
        puts("complete -c kiln -n __fish_use_subcommand -f -a help -d '" HELP_SUMMARY "'\n"
             "complete -c kiln -n '__fish_seen_subcommand_from help' -f -a '(__kiln_words PAGE)'");
}

bool completion_print(const char *shell, struct err *err) {
        static const struct {
                const char *name;
                void (*print)(void);
        } shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
        for (size_t i = 0; i < lengthof(shells); i++)
                if (strcmp(shells[i].name, text_or(shell, "bash")) == 0) {
                        shells[i].print();
                        return true;
                }
        return fail(err, ERR_USAGE, 0, "kiln completion %s: bash, zsh or fish is needed", shell);
}

// ---- names ----

static void print_names(const struct cluster *cluster, bool of_nodes) {
        for (size_t i = 0; of_nodes && i < cluster->node_count; i++)
                puts(cluster->nodes[i].name);
        for (size_t i = 0; !of_nodes && i < cluster->role_count; i++)
                puts(cluster->roles[i].name);
}

static void print_cluster_words(const char *path, bool of_nodes) {
        struct cluster *cluster = NULL;
        auto_err unreadable = { 0 };
        struct arena arena = { 0 };
        struct strings roles = { 0 };
        if (path && *path && cluster_load(path, NULL, &cluster, &unreadable))
                print_names(cluster, of_nodes);
        else if (!of_nodes && init_roles(&arena, &roles, &unreadable))
                for (size_t i = 0; i < roles.count; i++)
                        puts(roles.items[i]);
        cluster_free(cluster);
        arena_release(&arena);
}

// Where kiln.yaml says that they are.
static const char *usual_out(const char *cluster, struct arena *arena) {
        struct defaults defaults = { 0 };
        auto_err unreadable = { 0 };
        if (cluster && !*cluster)
                cluster = NULL;
        if (!defaults_read(cluster, arena, NULL, &defaults, &unreadable))
                return "out";
        for (size_t i = 0; i < defaults.count; i++)
                if (strcmp(defaults.values[i].option, "out") == 0)
                        return defaults.values[i].value;
        return "out";
}

static void print_build_ids(const char *cluster) {
        struct arena arena = { 0 };
        struct build_list list = { 0 };
        auto_err unreadable = { 0 };
        if (build_list_read(usual_out(cluster, &arena), NULL, &list, &unreadable))
                for (size_t i = 0; i < list.count; i++)
                        puts(list.items[i].id);
        build_list_release(&list);
        arena_release(&arena);
}

static void print_schema_kind(const char *kind, const char *title, void *context) {
        (void)title;
        (void)context;
        puts(kind);
}

static void print_topic(const char *topic) { puts(topic); }

static void print_kinds(void) {
        for (size_t i = 0; i < artefact_kind_count; i++)
                puts(artefact_kinds[i]->name);
}

static void print_releases(void) {
        struct arena arena = { 0 };
        struct strings names = { 0 };
        auto_err not_installed = { 0 };
        if (init_releases(&arena, &names, &not_installed))
                for (size_t i = 0; i < names.count; i++)
                        puts(names.items[i]);
        arena_release(&arena);
}

void completion_print_words(const char *value, const char *cluster) {
        if (strcmp(value, "NODE") == 0)
                print_cluster_words(cluster, true);
        else if (strcmp(value, "ROLE") == 0)
                print_cluster_words(cluster, false);
        else if (strcmp(value, "BUILD") == 0)
                print_build_ids(cluster);
        else if (strcmp(value, "ARTEFACT") == 0)
                print_kinds();
        else if (strcmp(value, "RELEASE") == 0)
                print_releases();
        else if (strcmp(value, "SCHEMA") == 0)
                schema_each_kind(print_schema_kind, NULL);
        else if (strcmp(value, "PAGE") == 0)
                manual_each_topic(print_topic);
}
