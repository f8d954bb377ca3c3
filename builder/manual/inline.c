// SPDX-License-Identifier: MIT
#include "manual/inline.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

// What closes the mark that `at` begins with, or NULL.
static const char *mark_at(const char *at) {
        static const char *const marks[] = { "`", "**", "*" };
        for (size_t i = 0; i < lengthof(marks); i++)
                if (strncmp(at, marks[i], strlen(marks[i])) == 0)
                        return marks[i];
        return NULL;
}

static enum span_kind kind_of_mark(const char *mark) {
        if (*mark == '`')
                return SPAN_CODE;
        if (mark[1] == '*')
                return SPAN_BOLD;
        return SPAN_EMPHASIS;
}

static void add_span(struct arena *arena, struct spans *spans, enum span_kind kind, const char *text,
                     const char *target) {
        spans->items = arena_grow(arena, spans->items, spans->count, sizeof *spans->items);
        spans->items[spans->count++] = (struct span){ kind, text, target };
}

// The length of "name(1)" at `at`, which no letter stands before; 0: it is no page.
static size_t page_length(const char *at) {
        size_t length = 0;
        while (islower((unsigned char)at[length]) || isdigit((unsigned char)at[length]) || at[length] == '-' ||
               at[length] == '.')
                length++;
        bool is_page = length > 1 && isalpha((unsigned char)at[0]) && at[length] == '(' && at[length + 1] >= '1' &&
                       at[length + 1] <= '8' && at[length + 2] == ')';
        if (is_page)
                return length + strlen("(1)");
        return 0;
}

static void add_page(struct arena *arena, struct spans *spans, const char *at, size_t length) {
        const char *text = arena_strndup(arena, at, length);
        const char *target = arena_printf(arena, "%.*s.%c", (int)(length - strlen("(1)")), at, at[length - 2]);
        add_span(arena, spans, SPAN_PAGE, text, target);
}

static void flush_plain(struct arena *arena, struct spans *spans, struct buf *plain) {
        if (plain->size > 0)
                add_span(arena, spans, SPAN_PLAIN, arena_strdup(arena, buf_text(plain)), NULL);
        buf_clear(plain);
}

// At `*at`: a mark, what it holds, and the mark again.
static bool parse_marked(struct arena *arena, const char **at, struct spans *spans, struct err *err) {
        const char *mark = mark_at(*at), *begin = *at + strlen(mark), *end = strstr(begin, mark);
        if (!end || end == begin)
                return fail(err, ERR_INTERNAL, 0, "`%s` is not closed: %.40s", mark, *at);
        add_span(arena, spans, kind_of_mark(mark), arena_strndup(arena, begin, (size_t)(end - begin)), NULL);
        *at = end + strlen(mark);
        return true;
}

// At `*at`: "[text](target)".
static bool parse_link(struct arena *arena, const char **at, struct spans *spans, struct err *err) {
        const char *middle = strstr(*at, "](");
        const char *end = NULL;
        if (middle)
                end = strchr(middle, ')');
        if (!end)
                return fail(err, ERR_INTERNAL, 0, "`[` is no link: %.40s", *at);
        const char *text = arena_strndup(arena, *at + 1, (size_t)(middle - *at) - 1);
        add_span(arena, spans, SPAN_LINK, text, arena_strndup(arena, middle + 2, (size_t)(end - middle) - 2));
        *at = end + 1;
        return true;
}

static bool parse_spans(struct arena *arena, const char *text, struct spans *ret, struct buf *plain, struct err *err) {
        bool in_word = false;
        for (const char *at = text; *at;) {
                size_t page = 0;
                if (!in_word)
                        page = page_length(at);
                bool is_special = page > 0 || mark_at(at) || *at == '[';
                if (is_special)
                        flush_plain(arena, ret, plain);
                if (page > 0) {
                        add_page(arena, ret, at, page);
                        at += page;
                } else if (mark_at(at)) {
                        if (!parse_marked(arena, &at, ret, err))
                                return false;
                } else if (*at == '[') {
                        if (!parse_link(arena, &at, ret, err))
                                return false;
                } else if (*at == '<') {
                        return fail(err, ERR_INTERNAL, 0, "`<` needs a backslash, or is code: %.40s", at);
                } else {
                        at += *at == '\\' && at[1];
                        buf_append_char(plain, *at);
                        at++;
                }
                in_word = isalnum((unsigned char)at[-1]) || at[-1] == '-' || at[-1] == '/';
        }
        flush_plain(arena, ret, plain);
        return true;
}

bool spans_parse(struct arena *arena, const char *text, struct spans *ret, struct err *err) {
        auto_buf plain = { 0 };
        *ret = (struct spans){ 0 };
        return parse_spans(arena, text, ret, &plain, err);
}

// How much of what may stand between two marks of a term is at `at`.
static size_t between_marks(const char *at) {
        size_t length = 0;
        while (true) {
                const char *next = at + length;
                if (*next == '\\' && next[1])
                        length += 2;
                else if (strncmp(next, "or ", strlen("or ")) == 0)
                        length += strlen("or ");
                else if ((*next && strchr(" ,[]()/|.=", *next)) || (*next == ':' && next[1] != ' '))
                        length++;
                else
                        return length;
        }
}

size_t term_length(const char *text) {
        for (const char *at = text; mark_at(at);) {
                const char *mark = mark_at(at), *end = strstr(at + strlen(mark), mark);
                if (!end)
                        return 0;
                at = end + strlen(mark);
                at += between_marks(at);
                if (strncmp(at, ": ", 2) == 0)
                        return (size_t)(at - text);
        }
        return 0;
}
