// SPDX-License-Identifier: MIT
#include "verbs/manual_tables.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "manual/manual_pages.h"
#include "profile/profile.h"
#include "verbs/options.h"
#include "verbs/verb.h"

static void expand_option(const struct option_text *option, void *context) {
        struct buf *out = context;
        buf_append_text(out, "- ");
        if (option->letter)
                buf_printf(out, "`-%c`, ", option->letter);
        buf_printf(out, "`--%s`", option->name);
        if (option->value)
                buf_printf(out, " *%s*", option->value);
        buf_append_text(out, ": ");
        markup_escape(out, option->help);
        buf_append_text(out, "\n");
}

static void expand_verbs(struct buf *out) {
        for (size_t i = 0; i < verb_table_count; i++) {
                const struct verb *verb = &verb_table[i];
                buf_printf(out, "- `kiln %s%s%s`: ", verb->name, *verb->arguments ? " " : "", verb->arguments);
                markup_escape(out, verb->summary);
                buf_printf(out, " kiln-%s(1)\n", verb->name);
        }
}

// "- kiln-boot(7): what it is", but for verbs, whose titles have no more than the name.
static void expand_pages(struct buf *out, char section) {
        const char *source;
        for (size_t i = 0; (source = manual_source(i)); i++) {
                const char *name = source + strlen("# "), *open = strchr(name, '(');
                const char *summary = strstr(name, ": ");
                bool is_listed = open && summary && open[1] == section;
                if (is_listed)
                        buf_printf(out, "- %.*s\n", (int)strcspn(name, "\n"), name);
        }
}

static void expand_exit_codes(struct buf *out) {
        buf_append_text(out, "- `0`: success\n");
#define X(name, code, meaning)                                                                                         \
        buf_printf(out, "- `%d`: ", code);                                                                             \
        markup_escape(out, meaning);                                                                                   \
        buf_append_text(out, "\n");
        ERR_KINDS(X)
#undef X
}

// The reference has a key in a line, and its meaning in the next one, which is indented.
static void expand_keys(struct buf *out, const char *kind) {
        auto_free char *reference = profile_reference(kind);
        for (char *rest = reference, *line; (line = strsep(&rest, "\n"));) {
                if (*line == ' ') {
                        markup_escape(out, line + strspn(line, " "));
                        buf_append_text(out, "\n");
                } else if (*line && !strchr(line, ' ')) {
                        buf_printf(out, "- `%s`: ", line);
                }
        }
}

// "kiln-build(1)", when there is a verb build.
static const struct verb *verb_of_page(const char *source) {
        static const char prefix[] = "# kiln-";
        if (strncmp(source, prefix, strlen(prefix)) != 0)
                return NULL;
        const char *name = source + strlen(prefix);
        size_t length = strcspn(name, "(\n");
        if (strncmp(name + length, "(1)\n", strlen("(1)\n")) != 0)
                return NULL;
        auto_free char *verb = xstrndup(name, length);
        return verb_find(verb);
}

static void expand_title(struct buf *out, const char *title, const struct verb *verb) {
        buf_append_text(out, title);
        if (verb) {
                size_t length = strlen(verb->summary);
                length -= length > 0 && verb->summary[length - 1] == '.';
                buf_printf(out, ": %c%.*s\n\n## SYNOPSIS\n\n`kiln %s [OPTION]... %s`", tolower(verb->summary[0]),
                           (int)length - 1, verb->summary + 1, verb->name, verb->arguments);
        }
        buf_append_text(out, "\n");
}

static void expand_line(struct buf *out, const char *line, const struct verb *verb) {
        char kind[16], section;
        if (strcmp(line, "<!-- options -->") == 0 && verb)
                options_each(verb, expand_option, out);
        else if (strcmp(line, "<!-- verbs -->") == 0)
                expand_verbs(out);
        else if (strcmp(line, "<!-- exit-codes -->") == 0)
                expand_exit_codes(out);
        else if (sscanf(line, "<!-- pages %c -->", &section) == 1)
                expand_pages(out, section);
        else if (sscanf(line, "<!-- keys %15[a-z] -->", kind) == 1)
                expand_keys(out, kind);
        else
                buf_printf(out, "%s\n", line); // a marker that is none is an error of markup_parse()
}

void manual_expand(const char *source, struct buf *ret) {
        const struct verb *verb = verb_of_page(source);
        auto_free char *copy = xstrdup(source);
        char *rest = copy;
        expand_title(ret, strsep(&rest, "\n"), verb);
        for (char *line; (line = strsep(&rest, "\n"));)
                expand_line(ret, line, verb);
}
