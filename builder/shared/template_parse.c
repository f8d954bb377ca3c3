// SPDX-License-Identifier: MIT
// A text becomes tags, once; sections know their end.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"
#include "shared/template_tags.h"

enum { NESTING_MAX = 32, TAGS_MAX = 100000 };

// ---- messages ----

bool template_refuse(const struct template *template, size_t offset, struct err *err, const char *format, ...) {
        int line, column;
        mistake_locate(template->text, template->size, offset, &line, &column);
        auto_buf text = { 0 };
        buf_printf(&text, "%s:%d:%d: ", template->name, line, column);
        va_list arguments;
        va_start(arguments, format);
        buf_vprintf(&text, format, arguments);
        va_end(arguments);
        mistake_excerpt(&text, template->text, template->size, line, column);
        return fail(err, ERR_TEMPLATE, 0, "%s", buf_text(&text));
}

// ---- splitting ----

static bool is_space(char byte) { return is_blank_or_tab(byte) || byte == '\n' || byte == '\r'; }

static struct tag *add_tag(struct template *template, enum tag_kind kind, size_t start, size_t end) {
        struct tag *tag = array_append(&template->tags, &template->count);
        *tag = (struct tag){ .kind = kind, .raw = template->text + start, .raw_size = end - start, .offset = start };
        return tag;
}

static void add_text_tag(struct template *template, size_t start, size_t end) {
        if (end > start)
                add_tag(template, TAG_TEXT, start, end);
}

// Tags that are not interpolations take the whole line with them if there is nothing else on it.
static bool widen_standalone(const struct template *template, size_t *start, size_t *end) {
        size_t before = *start, after = *end;
        while (before > 0 && is_blank_or_tab(template->text[before - 1]))
                before--;
        if (before > 0 && template->text[before - 1] != '\n')
                return false;
        while (after < template->size && is_blank_or_tab(template->text[after]))
                after++;
        if (after + 1 < template->size && template->text[after] == '\r' && template->text[after + 1] == '\n')
                after++;
        if (after < template->size && template->text[after] != '\n')
                return false;
        if (after < template->size)
                after++;
        *start = before;
        *end = after;
        return true;
}

static enum tag_kind tag_kind_of(char sigil) {
        switch (sigil) {
        case '#':
                return TAG_SECTION;
        case '^':
                return TAG_INVERTED;
        case '/':
                return TAG_END;
        case '!':
                return TAG_COMMENT;
        default:
                return TAG_VARIABLE;
        }
}

static bool check_tag_name(const struct template *template, const struct tag *tag, struct err *err) {
        if (tag->name_size == 0)
                return template_refuse(template, tag->offset, err, "a tag without a name");
        if (tag->name_size == 1 && tag->name[0] == '.')
                return true;
        for (size_t i = 0; i < tag->name_size; i++) {
                bool dot = tag->name[i] == '.', edge = i == 0 || i + 1 == tag->name_size || tag->name[i - 1] == '.';
                if (is_space(tag->name[i]) || strchr("{}#^/!&>=", tag->name[i]) || (dot && edge))
                        return template_refuse(template, tag->offset, err, "`%.*s` is not a name", (int)tag->name_size,
                                               tag->name);
        }
        return true;
}

// Reads the tag at `start` and tells where the text goes on.
static bool read_tag(struct template *template, size_t text_start, size_t start, size_t *ret_next, struct err *err) {
        const char *text = template->text;
        bool triple = start + 2 < template->size && text[start + 2] == '{';
        const char *close = "}}";
        if (triple)
                close = "}}}";
        size_t inner = start + strlen(close);
        const char *found = memmem(text + inner, template->size - inner, close, strlen(close));
        if (!found)
                return template_refuse(template, start, err, "this tag is not closed by `%s`", close);
        size_t inner_end = (size_t)(found - text), end = inner_end + strlen(close), line_start = start;
        while (inner < inner_end && is_space(text[inner]))
                inner++;
        char sigil = '\0';
        if (inner < inner_end && !triple)
                sigil = text[inner];
        if (sigil == '>')
                return template_refuse(template, start, err, "partials are not supported");
        if (sigil == '=')
                return template_refuse(template, start, err, "delimiter changes are not supported");
        enum tag_kind kind = tag_kind_of(sigil);
        bool has_sigil = kind != TAG_VARIABLE || sigil == '&';
        if (has_sigil)
                inner++;
        while (inner < inner_end && is_space(text[inner]))
                inner++;
        while (inner_end > inner && is_space(text[inner_end - 1]))
                inner_end--;
        size_t bare_size = end - start;
        bool standalone = kind != TAG_VARIABLE && widen_standalone(template, &line_start, &end);
        add_text_tag(template, text_start, line_start);
        struct tag *tag = add_tag(template, kind, line_start, end);
        tag->offset = start;
        tag->bare_size = bare_size;
        tag->standalone = standalone;
        tag->name = text + inner;
        tag->name_size = inner_end - inner;
        *ret_next = end;
        return kind == TAG_COMMENT || check_tag_name(template, tag, err);
}

static bool pair_sections(struct template *template, struct err *err) {
        size_t open[NESTING_MAX], depth = 0;
        for (size_t i = 0; i < template->count; i++) {
                struct tag *tag = &template->tags[i];
                if (tag->kind == TAG_SECTION || tag->kind == TAG_INVERTED) {
                        if (depth == NESTING_MAX)
                                return template_refuse(template, tag->offset, err, "sections nested more than %d deep",
                                                       NESTING_MAX);
                        open[depth++] = i;
                        continue;
                }
                if (tag->kind != TAG_END)
                        continue;
                if (depth == 0)
                        return template_refuse(template, tag->offset, err, "`%.*s` ends here and was not begun",
                                               (int)tag->name_size, tag->name);
                struct tag *start = &template->tags[open[depth - 1]];
                if (!same_name(start, tag)) {
                        template_refuse(template, tag->offset, err, "`%.*s` ends here inside the section `%.*s`",
                                        (int)tag->name_size, tag->name, (int)start->name_size, start->name);
                        return hint(err, "end `%.*s` first", (int)start->name_size, start->name);
                }
                start->end = i;
                depth--;
        }
        if (depth == 0)
                return true;
        const struct tag *start = &template->tags[open[depth - 1]];
        return template_refuse(template, start->offset, err, "the section `%.*s` is not ended", (int)start->name_size,
                               start->name);
}

static bool template_parse(struct template *template, struct err *err) {
        size_t text_start = 0;
        for (size_t at = 0; at < template->size;) {
                const char *found = memmem(template->text + at, template->size - at, "{{", 2);
                if (!found)
                        break;
                size_t start = (size_t)(found - template->text);
                if (template->count > TAGS_MAX)
                        return template_refuse(template, start, err, "more than %d tags", TAGS_MAX);
                if (!read_tag(template, text_start, start, &at, err))
                        return false;
                text_start = at;
        }
        add_text_tag(template, text_start, template->size);
        return pair_sections(template, err);
}

bool template_open(const char *name, const char *text, size_t size, struct template **ret, struct err *err) {
        assert(name && text);
        auto_template *template = xcalloc(1, sizeof *template);
        *template = (struct template){ .name = name, .text = text, .size = size };
        if (!template_parse(template, err))
                return false;
        *ret = take_ptr(template);
        return true;
}

void template_tell_unknown(struct template *template, template_mistake *tell, void *context) {
        template->unknown = tell;
        template->context = context;
}

void template_close(struct template *template) {
        if (template)
                free(template->tags);
        free(template);
}
