// SPDX-License-Identifier: MIT
// Which words fit at the end of a command line.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/locations.h"
#include "base/mem.h"
#include "init/init.h"
#include "profile/defaults.h"
#include "profile/profile.h"
#include "release/build_list.h"
#include "verbs/completion.h"
#include "verbs/manual.h"
#include "verbs/options.h"
#include "verbs/verb.h"
#include "verbs/verb_schema.h"

// The line up to the cursor, taken apart.
struct line {
        const struct verb *verb;
        const char *cluster, *out; // what it says of both; NULL: nothing
        const char *sub_verb;      // the first argument
        size_t arguments;          // before the cursor
        bool only_arguments;       // behind `--`
        struct option_text option; // whose value is wanted at the cursor; name NULL: none is
        const char *head, *typed;  // the word at the cursor: what stays, such as "--role=", and what is completed
        bool is_offered;
};

// A line a word, whoever wrote the text.
static int first_line_bytes(const char *text) {
        int bytes = 0;
        while (text[bytes] && !iscntrl((unsigned char)text[bytes]))
                bytes++;
        return bytes;
}

static void offer(struct line *line, const char *word, const char *help) {
        if (strncmp(word, line->typed, strlen(line->typed)) != 0)
                return;
        line->is_offered = true;
        printf("%s%s", line->head, word);
        if (help)
                printf("\t%.*s", first_line_bytes(help), help);
        putchar('\n');
}

// ---- names ----

static void offer_names_of(struct line *line, const struct cluster *cluster, bool of_nodes) {
        for (size_t i = 0; of_nodes && i < cluster->node_count; i++)
                offer(line, cluster->nodes[i].name, cluster->roles[cluster->nodes[i].role].name);
        for (size_t i = 0; !of_nodes && i < cluster->role_count; i++)
                offer(line, cluster->roles[i].name, cluster->roles[i].description);
}

static char *without_tilde(const char *path) {
        const char *home = getenv("HOME");
        if (home && strncmp(path, "~/", 2) == 0)
                return xasprintf("%s%s", home, path + 1);
        return xstrdup(path);
}

// A cluster file that cannot be read has no names.
static void offer_cluster_names(struct line *line, bool of_nodes) {
        struct cluster *cluster = NULL;
        auto_err unreadable = { 0 };
        struct arena arena = { 0 };
        struct strings roles = { 0 };
        auto_free char *path = without_tilde(text_or(line->cluster, USUAL_CLUSTER));
        if (cluster_load(path, NULL, &cluster, &unreadable))
                offer_names_of(line, cluster, of_nodes);
        else if (!of_nodes && init_roles(&arena, &roles, &unreadable))
                for (size_t i = 0; i < roles.count; i++)
                        offer(line, roles.items[i], NULL);
        cluster_free(cluster);
        arena_release(&arena);
}

static void offer_nodes(struct line *line) { offer_cluster_names(line, true); }

static void offer_roles(struct line *line) { offer_cluster_names(line, false); }

// Where the line, or else kiln.yaml says that they are.
static char *out_of(const struct line *line) {
        struct defaults defaults = { 0 };
        struct arena arena = { 0 };
        auto_err unreadable = { 0 };
        char *out = without_tilde(text_or(line->out, "out"));
        bool is_read = !line->out && defaults_read(line->cluster, &arena, NULL, &defaults, &unreadable);
        for (size_t i = 0; is_read && i < defaults.count; i++)
                if (strcmp(defaults.values[i].option, "out") == 0) {
                        free(out);
                        out = xstrdup(defaults.values[i].value);
                }
        arena_release(&arena);
        return out;
}

static void offer_builds(struct line *line) {
        auto_free char *out = out_of(line);
        struct build_list list = { 0 };
        auto_err unreadable = { 0 };
        if (build_list_read(out, NULL, &list, &unreadable))
                for (size_t i = 0; i < list.count; i++)
                        offer(line, list.items[i].id, list.items[i].cluster);
        build_list_release(&list);
}

static void offer_releases(struct line *line) {
        struct arena arena = { 0 };
        struct strings names = { 0 };
        auto_err not_installed = { 0 };
        if (init_releases(&arena, &names, &not_installed))
                for (size_t i = 0; i < names.count; i++)
                        offer(line, names.items[i], NULL);
        arena_release(&arena);
}

static void offer_artefacts(struct line *line) {
        for (size_t i = 0; i < artefact_kind_count; i++)
                offer(line, artefact_kinds[i]->name, NULL);
}

static void offer_schema(const char *kind, const char *title, void *line) { offer(line, kind, title); }

static void offer_schemas(struct line *line) { schema_each_kind(offer_schema, line); }

static void offer_page(const char *topic, void *line) { offer(line, topic, NULL); }

static void offer_pages(struct line *line) { manual_each_topic(offer_page, line); }

// What placeholders of usage stand for.
static const struct {
        const char *placeholder;
        void (*offer)(struct line *line);
} name_kinds[] = {
        { "NODE", offer_nodes },         { "ROLE", offer_roles },     { "BUILD", offer_builds },
        { "RELEASE", offer_releases },   { "SCHEMA", offer_schemas }, { "PAGE", offer_pages },
        { "ARTEFACT", offer_artefacts },
};

// ---- placeholders ----

static bool is_literal(const char *word) {
        while (islower((unsigned char)*word) || *word == '-')
                word++;
        return *word == '\0';
}

// One of the things that a place may hold. False: it is a name that only files have, or nobody knows.
static bool offer_one_of_place(struct line *line, const char *kind) {
        for (size_t i = 0; i < lengthof(name_kinds); i++)
                if (strcmp(name_kinds[i].placeholder, kind) == 0) {
                        name_kinds[i].offer(line);
                        return false; // or a path, of a build
                }
        if (!is_literal(kind))
                return false;
        offer(line, kind, NULL);
        return true;
}

// "up|ps|down", "NODE|any", "[BUILD]", "NODE...": files are told of where names do not say it all.
static void offer_place(struct line *line, const char *place, size_t size) {
        bool is_choice = true;
        auto_free char *kinds = xstrndup(place, size);
        char *dots = strstr(kinds, "..."), *next = NULL;
        if (strstr(kinds, "://")) // a URL is typed
                return;
        if (dots)
                *dots = '\0';
        for (char *kind = strtok_r(kinds, "|[]", &next); kind; kind = strtok_r(NULL, "|[]", &next))
                is_choice = offer_one_of_place(line, kind) && is_choice;
        if (!is_choice && !line->is_offered)
                puts(COMPLETION_FILES);
}

static void offer_value(struct line *line, const struct option_text *option) {
        const char *place = option->value;
        if (strcmp(option->name, "release") == 0)
                place = "RELEASE";
        else if (strcmp(option->name, "only") == 0 && strcmp(place, "KIND") == 0)
                place = "ARTEFACT";
        offer_place(line, place, strlen(place));
}

// The place of the argument number `index` in "CLUSTER.yaml [PACKAGE...]"; its last one repeats if it has dots. False:
// there is none.
static bool find_argument_place(const char *arguments, size_t index, const char **ret, size_t *ret_size) {
        const char *place = arguments;
        size_t size = strcspn(place, " ");
        for (; index > 0 && place[size]; index--) {
                place += size + 1;
                size = strcspn(place, " ");
        }
        bool repeats = memmem(place, size, "...", 3) != NULL;
        *ret = place;
        *ret_size = size;
        return size > 0 && (index == 0 || repeats);
}

static void offer_argument(struct line *line) {
        const char *arguments = line->verb->arguments, *place = NULL;
        size_t index = line->arguments, size = 0;
        const char *behind = NULL;
        if (index > 0 && line->verb->arguments_of)
                behind = line->verb->arguments_of(line->sub_verb);
        if (behind) {
                arguments = behind;
                index--;
        }
        if (find_argument_place(arguments, index, &place, &size))
                offer_place(line, place, size);
}

// ---- options ----

static void offer_option(const struct option_text *option, void *context) {
        struct line *line = context;
        auto_free char *word = xasprintf("--%s", option->name);
        const char letter[] = { '-', option->letter, '\0' };
        offer(line, word, option->help);
        if (option->letter && strlen(line->typed) < 2)
                offer(line, letter, option->help);
}

struct wanted_option {
        const char *name; // NULL: by its letter
        size_t length;
        char letter;
        struct option_text found; // name NULL: there is none
};

static void look_at_option(const struct option_text *option, void *context) {
        struct wanted_option *wanted = context;
        if (wanted->name) {
                bool is_it = strncmp(option->name, wanted->name, wanted->length) == 0 && !option->name[wanted->length];
                if (is_it)
                        wanted->found = *option;
        } else if (option->letter == wanted->letter) {
                wanted->found = *option;
        }
}

static struct option_text option_named(const struct verb *verb, const char *name, size_t length) {
        struct wanted_option wanted = { .name = name, .length = length };
        options_each(verb, look_at_option, &wanted);
        return wanted.found;
}

// Of "-qo", the option `o`, whose value is the next word; of "-oDIR" none.
static struct option_text option_of_letters(const struct verb *verb, const char *word) {
        for (const char *letter = word + 1; *letter; letter++) {
                struct wanted_option wanted = { .letter = *letter };
                options_each(verb, look_at_option, &wanted);
                if (wanted.found.value && letter[1] == '\0')
                        return wanted.found;
                if (wanted.found.value)
                        break;
        }
        return (struct option_text){ 0 };
}

// ---- the line ----

static void keep_out_value(struct line *line, const char *name, const char *value) {
        if (name && strcmp(name, "out") == 0)
                line->out = value;
}

static void pass_long_option(struct line *line, const char *word) {
        const char *name = word + strlen("--"), *equals = strchr(name, '=');
        struct option_text option = option_named(line->verb, name, strcspn(name, "="));
        if (equals)
                keep_out_value(line, option.name, equals + 1);
        else if (option.value)
                line->option = option;
}

static void pass_argument(struct line *line, const char *word) {
        size_t length = strlen(word);
        bool is_yaml = length > strlen(".yaml") && strcmp(word + length - strlen(".yaml"), ".yaml") == 0;
        if (is_yaml && !line->cluster)
                line->cluster = word;
        if (line->arguments == 0)
                line->sub_verb = word;
        line->arguments++;
}

// A word before the one at the cursor.
static void pass_word(struct line *line, const char *word) {
        if (line->option.name) {
                keep_out_value(line, line->option.name, word);
                line->option = (struct option_text){ 0 };
        } else if (line->only_arguments || word[0] != '-' || !word[1]) {
                pass_argument(line, word);
        } else if (strcmp(word, "--") == 0) {
                line->only_arguments = true;
        } else if (word[1] == '-') {
                pass_long_option(line, word);
        } else {
                line->option = option_of_letters(line->verb, word);
        }
}

static void complete_word(struct line *line, const char *word) {
        bool is_option = word[0] == '-' && !line->only_arguments && !line->option.name;
        const char *equals = strchr(word, '=');
        line->typed = word;
        if (line->option.name) {
                offer_value(line, &line->option);
        } else if (is_option && equals && word[1] == '-') {
                auto_free char *head = xstrndup(word, (size_t)(equals + 1 - word));
                const char *name = word + strlen("--");
                struct option_text option = option_named(line->verb, name, strcspn(name, "="));
                line->head = head;
                line->typed = equals + 1;
                if (option.value)
                        offer_value(line, &option);
                line->head = "";
        } else if (is_option) {
                options_each(line->verb, offer_option, line);
        } else {
                offer_argument(line);
        }
}

// ---- what stands before all options ----

static const struct {
        const char *name, *summary, *place;
} information_words[] = {
        { "help", "Show a page of the manual.", "PAGE" },
        { "manual", "Print a page of the manual, for programs.", "PAGE" },
        { "completion", "Print a shell's completion.", "bash|zsh|fish" },
        { "--help", "List the verbs.", "" },
        { "--version", "Print the version.", "" },
};

static void offer_verbs(struct line *line) {
        for (size_t i = 0; i < verb_table_count; i++)
                offer(line, verb_table[i].name, verb_table[i].summary);
        for (size_t i = 0; i < lengthof(information_words); i++)
                offer(line, information_words[i].name, information_words[i].summary);
}

static void offer_information(struct line *line, const char *name) {
        for (size_t i = 0; i < lengthof(information_words); i++)
                if (strcmp(information_words[i].name, name) == 0)
                        offer_place(line, information_words[i].place, strlen(information_words[i].place));
}

void completion_complete(const char *const *words, size_t count) {
        struct line line = { .head = "", .typed = "" };
        if (count > 0)
                line.typed = words[count - 1];
        if (count < 2) {
                offer_verbs(&line);
                return;
        }
        line.verb = verb_find(words[0]);
        if (!line.verb) {
                if (count == 2)
                        offer_information(&line, words[0]);
                return;
        }
        for (size_t i = 1; i + 1 < count; i++)
                pass_word(&line, words[i]);
        complete_word(&line, words[count - 1]);
}
