// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <string.h>

#include "base/version.h"
#include "manual/manual_pages.h"

enum { ROFF_COLUMN = 56 }; // a line is broken at the first blank behind it

// A line that is being written. roff takes a dot or an apostrophe at its begin for a request.
struct roff {
        struct buf *out;
        size_t column;
};

// The code point of the UTF-8 character at `*at`, which is moved to its last byte.
static unsigned long take_wide(const char **at) {
        unsigned char first = (unsigned char)**at;
        unsigned long code = first & 0x1fU;
        if (first >= 0xf0)
                code = first & 0x07U;
        else if (first >= 0xe0)
                code = first & 0x0fU;
        while (((unsigned char)(*at)[1] & 0xc0) == 0x80)
                code = code << 6 | ((unsigned char)*++*at & 0x3fU);
        return code;
}

static const char *roff_escape_of(char character, bool exact) {
        static const struct {
                char character;
                bool exact; // only where each character counts
                const char *escape;
        } escapes[] = { { '\\', false, "\\e" }, { '-', true, "\\-" },    { '\'', true, "\\(aq" },
                        { '`', true, "\\(ga" }, { '^', false, "\\(ha" }, { '~', false, "\\(ti" },
                        { '"', false, "\\(dq" } };
        for (size_t i = 0; i < lengthof(escapes); i++)
                if (escapes[i].character == character && (exact || !escapes[i].exact))
                        return escapes[i].escape;
        return NULL;
}

static void roff_put(struct roff *roff, const char *text, bool exact, bool may_break) {
        for (const char *at = text; *at; at++) {
                const char *escape = roff_escape_of(*at, exact);
                bool begins_request = roff->column == 0 && (*at == '.' || *at == '\'');
                if (may_break && *at == ' ' && roff->column > ROFF_COLUMN) {
                        buf_append_char(roff->out, '\n');
                        roff->column = 0;
                        continue;
                }
                if (begins_request)
                        buf_append_text(roff->out, "\\&");
                if ((unsigned char)*at >= 0x80)
                        buf_printf(roff->out, "\\[u%04lX]", take_wide(&at));
                else if (escape)
                        buf_append_text(roff->out, escape);
                else
                        buf_append_char(roff->out, *at);
                roff->column++;
        }
}

static void roff_put_spans(struct buf *out, const struct spans *spans, bool may_break) {
        static const char *const fonts[] = { [SPAN_CODE] = "\\fB",
                                             [SPAN_BOLD] = "\\fB",
                                             [SPAN_EMPHASIS] = "\\fI",
                                             [SPAN_PAGE] = "\\fB",
                                             [SPAN_LINK] = "\\fI" };
        struct roff roff = { .out = out };
        for (size_t i = 0; i < spans->count; i++) {
                const struct span *span = &spans->items[i];
                const char *font = fonts[span->kind];
                if (font)
                        buf_append_text(out, font);
                roff_put(&roff, span->text, span->kind != SPAN_PLAIN, may_break);
                if (font)
                        buf_append_text(out, "\\fR");
        }
        buf_append_char(out, '\n');
}

static void roff_put_code(struct buf *out, const char *code) {
        buf_append_text(out, ".RS 4\n.EX\n");
        while (*code) {
                size_t length = strcspn(code, "\n");
                struct roff roff = { .out = out };
                auto_free char *line = xstrndup(code, length);
                roff_put(&roff, line, true, false);
                buf_append_char(out, '\n');
                code += length + (code[length] == '\n');
        }
        buf_append_text(out, ".EE\n.RE\n");
}

static void roff_put_table(struct buf *out, const struct block *table) {
        buf_append_text(out, ".TS\n");
        for (size_t i = 1; i < table->columns; i++)
                buf_append_text(out, "lb ");
        buf_append_text(out, "lb\n");
        for (size_t i = 1; i < table->columns; i++)
                buf_append_text(out, "l ");
        buf_append_text(out, "lx.\n");
        for (size_t i = 0; i < table->rows * table->columns; i++) {
                buf_append_text(out, "T{\n");
                roff_put_spans(out, &table->cells[i], true);
                buf_append_text(out, (i + 1) % table->columns == 0 ? "T}\n" : "T}\t");
        }
        buf_append_text(out, ".TE\n");
}

// A heading has space of its own behind it.
static void roff_put_space(struct buf *out, bool is_first) {
        if (!is_first)
                buf_append_text(out, ".PP\n");
}

static void roff_put_block(struct buf *out, const struct block *block, bool is_first) {
        switch (block->kind) {
        case BLOCK_SECTION:
        case BLOCK_SUBSECTION:
                buf_append_text(out, block->kind == BLOCK_SECTION ? ".SH " : ".SS ");
                roff_put_spans(out, &block->text, false);
                return;
        case BLOCK_PARAGRAPH:
                roff_put_space(out, is_first);
                break;
        case BLOCK_BULLET:
                buf_append_text(out, ".IP \\(bu 2\n");
                break;
        case BLOCK_NUMBER:
                buf_printf(out, ".IP %d. 4\n", block->number);
                break;
        case BLOCK_TERM:
                buf_append_text(out, ".TP\n");
                roff_put_spans(out, &block->term, false);
                break;
        case BLOCK_CODE:
                roff_put_space(out, is_first);
                roff_put_code(out, block->code);
                return;
        case BLOCK_TABLE:
                roff_put_space(out, is_first);
                roff_put_table(out, block);
                return;
        }
        roff_put_spans(out, &block->text, true);
}

void manual_write_roff(const struct document *document, struct buf *ret) {
        buf_append_text(ret, "'\\\" t\n.TH ");
        for (const char *at = document->name; *at; at++)
                buf_append_char(ret, (char)toupper((unsigned char)*at));
        buf_printf(ret, " %s %s \"kiln %s\" \"kiln manual\"\n.nh\n.ad l\n.SH NAME\n", document->section, KILN_RELEASED,
                   KILN_VERSION);
        struct roff roff = { .out = ret };
        roff_put(&roff, document->name, true, false);
        buf_append_text(ret, " \\- ");
        roff_put(&roff, document->summary, false, false);
        buf_append_char(ret, '\n');
        for (size_t i = 0; i < document->block_count; i++) {
                bool is_first = i == 0 || document->blocks[i - 1].kind <= BLOCK_SUBSECTION;
                roff_put_block(ret, &document->blocks[i], is_first);
        }
}
