// SPDX-License-Identifier: MIT
#include "profile/reader/diagnostics.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mistake.h"

enum { SHOWN_MAX = 100, COMPARED_MAX = 1000 };

void diagnostics_add_source(struct diagnostics *diagnostics, const char *name, const char *text, size_t size) {
        *array_append(&diagnostics->sources, &diagnostics->source_count) = (struct source){ name, text, size };
}

static bool same_place_of_mistake(const struct place *a, const struct place *b) {
        bool same_file = a->file == b->file || (a->file && b->file && strcmp(a->file, b->file) == 0);
        return same_file && a->line == b->line && a->column == b->column;
}

// Appended to a list; NULL if it is among the last ones there: a file of nothing but mistakes has a quarter of a
// million.
static struct mistake *keep_mistake(struct mistake **list, size_t *count, struct arena *arena,
                                    const struct place *place, const char *message) {
        static const struct place nowhere;
        if (!place)
                place = &nowhere;
        size_t first = 0;
        if (*count > COMPARED_MAX)
                first = *count - COMPARED_MAX;
        for (size_t i = first; i < *count; i++) {
                const struct mistake *known = &(*list)[i];
                if (same_place_of_mistake(&known->place, place) && strcmp(known->message, message) == 0)
                        return NULL;
        }
        struct mistake *mistake = array_append(list, count);
        *mistake = (struct mistake){ .place = *place, .message = arena_strdup(arena, message) };
        return mistake;
}

void report(struct diagnostics *diagnostics, enum err_kind kind, const struct place *place, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *message = xvasprintf(format, arguments);
        va_end(arguments);
        diagnostics->last =
            keep_mistake(&diagnostics->mistakes, &diagnostics->mistake_count, diagnostics->arena, place, message);
        if (diagnostics->last)
                diagnostics->last->kind = kind;
}

void report_warning(struct diagnostics *diagnostics, const struct place *place, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *message = xvasprintf(format, arguments);
        va_end(arguments);
        diagnostics->last =
            keep_mistake(&diagnostics->warnings, &diagnostics->warning_count, diagnostics->arena, place, message);
}

void report_privately(struct diagnostics *diagnostics) {
        if (diagnostics->last)
                diagnostics->last->is_private = true;
}

void report_hint(struct diagnostics *diagnostics, const char *format, ...) {
        if (!diagnostics->last)
                return;
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        diagnostics->last->hint = arena_strdup(diagnostics->arena, text);
}

void report_nearest(struct diagnostics *diagnostics, const char *nearest) {
        if (nearest)
                report_hint(diagnostics, "did you mean `%s`?", nearest);
}

void report_known(struct diagnostics *diagnostics, const char *wanted, const struct strings *known) {
        enum { SHOWN = 12 };
        struct nearest nearest = { .wanted = wanted };
        auto_buf list = { 0 };
        for (size_t i = 0; i < known->count; i++) {
                nearest_offer(&nearest, known->items[i]);
                if (i > 0 && i <= SHOWN)
                        buf_append_text(&list, ", ");
                if (i < SHOWN)
                        buf_append_text(&list, known->items[i]);
                else if (i == SHOWN)
                        buf_append_text(&list, "...");
        }
        if (nearest.best)
                report_nearest(diagnostics, nearest.best);
        else if (known->count > 0)
                report_hint(diagnostics, "there are: %s", buf_text(&list));
}

const char *place_text(struct arena *arena, const struct place *place) {
        if (!place->file)
                return "kiln";
        if (place->line < 1)
                return place->file;
        return arena_printf(arena, "%s:%d:%d", place->file, place->line, place->column);
}

static const struct source *find_source_text(const struct diagnostics *diagnostics, const char *name) {
        for (size_t i = 0; name && i < diagnostics->source_count; i++)
                if (strcmp(diagnostics->sources[i].name, name) == 0)
                        return &diagnostics->sources[i];
        return NULL;
}

static void append_mistake(const struct diagnostics *diagnostics, const struct mistake *mistake, struct buf *buf) {
        const struct place *place = &mistake->place;
        if (place->file)
                buf_printf(buf, "%s: ", place_text(diagnostics->arena, place));
        buf_append_text(buf, mistake->message);
        const struct source *source = find_source_text(diagnostics, place->file);
        if (source && !mistake->is_private)
                mistake_excerpt(buf, source->text, source->size, place->line, place->column);
        if (mistake->hint)
                buf_printf(buf, "\n    hint: %s", mistake->hint);
}

bool diagnostics_finish(const struct diagnostics *diagnostics, struct err *err) {
        if (diagnostics->mistake_count == 0)
                return true;
        auto_buf text = { 0 };
        for (size_t i = 0; i < diagnostics->mistake_count && i < SHOWN_MAX; i++) {
                if (i > 0)
                        buf_append_char(&text, '\n');
                append_mistake(diagnostics, &diagnostics->mistakes[i], &text);
        }
        if (diagnostics->mistake_count > SHOWN_MAX)
                buf_printf(&text, "\nand %zu more", diagnostics->mistake_count - SHOWN_MAX);
        return fail(err, diagnostics->mistakes[0].kind, 0, "%s", buf_text(&text));
}

// "FILE:LINE:COLUMN: MESSAGE", which may be all that there is of a place.
static bool split_place(struct arena *arena, const char *message, struct place *ret, const char **ret_rest) {
        for (const char *colon = strchr(message, ':'); colon; colon = strchr(colon + 1, ':')) {
                char *end = NULL, *last = NULL;
                long line = strtol(colon + 1, &end, 10), column = 0;
                if (end == colon + 1 || *end != ':')
                        continue;
                column = strtol(end + 1, &last, 10);
                if (last == end + 1 || strncmp(last, ": ", 2) != 0)
                        continue;
                *ret =
                    (struct place){ arena_strndup(arena, message, (size_t)(colon - message)), (int)line, (int)column };
                *ret_rest = last + 2;
                return true;
        }
        return false;
}

// What stands before the name of the file, "on node one: ", belongs to the message.
static void use_words_before(struct arena *arena, struct place *place, const char **message) {
        const char *file = place->file, *colon;
        while ((colon = strstr(file, ": ")))
                file = colon + 2;
        if (file == place->file)
                return;
        *message = arena_printf(arena, "%.*s%s", (int)(file - place->file), place->file, *message);
        place->file = file;
}

// A template that is a text of a role file is called "/PATH (FILE:LINE:COLUMN)": then that is its place.
static void use_inner_place(struct arena *arena, struct place *place) {
        const char *open = strrchr(place->file, '(');
        size_t length = strlen(place->file);
        if (!open || place->file[length - 1] != ')')
                return;
        const char *inner = arena_strndup(arena, open + 1, strlen(open) - 2), *rest = NULL;
        struct place found = { 0 };
        if (split_place(arena, arena_printf(arena, "%s: ", inner), &found, &rest))
                *place = found;
}

struct mistake mistake_take_apart(struct arena *arena, const struct mistake *mistake) {
        struct mistake apart = *mistake;
        const char *rest = NULL;
        if (apart.place.file || !split_place(arena, apart.message, &apart.place, &rest))
                return apart;
        use_words_before(arena, &apart.place, &rest);
        use_inner_place(arena, &apart.place);
        apart.message = arena_strndup(arena, rest, strcspn(rest, "\n"));
        return apart;
}

void diagnostics_each(const struct diagnostics *diagnostics, void (*each)(const struct mistake *mistake, void *context),
                      void *context) {
        for (size_t i = 0; i < diagnostics->mistake_count; i++) {
                struct mistake mistake = mistake_take_apart(diagnostics->arena, &diagnostics->mistakes[i]);
                each(&mistake, context);
        }
        for (size_t i = 0; i < diagnostics->warning_count; i++) {
                struct mistake warning = mistake_take_apart(diagnostics->arena, &diagnostics->warnings[i]);
                each(&warning, context);
        }
}

struct strings diagnostics_warnings(const struct diagnostics *diagnostics) {
        struct strings texts = { .items = arena_alloc(diagnostics->arena,
                                                      (diagnostics->warning_count + 1) * sizeof(char *)) };
        for (size_t i = 0; i < diagnostics->warning_count && i < SHOWN_MAX; i++) {
                auto_buf text = { 0 };
                append_mistake(diagnostics, &diagnostics->warnings[i], &text);
                texts.items[texts.count++] = arena_strdup(diagnostics->arena, buf_text(&text));
        }
        if (diagnostics->warning_count > SHOWN_MAX)
                texts.items[texts.count++] = arena_printf(diagnostics->arena, "there are %zu more warnings",
                                                          diagnostics->warning_count - SHOWN_MAX);
        return texts;
}

void diagnostics_release(struct diagnostics *diagnostics) {
        free(diagnostics->sources);
        free(diagnostics->mistakes);
        free(diagnostics->warnings);
        *diagnostics = (struct diagnostics){ 0 };
}
