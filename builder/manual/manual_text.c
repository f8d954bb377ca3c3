// SPDX-License-Identifier: MIT
// Pages as terminals and files show them.
#include <string.h>

#include "manual/manual_pages.h"

enum { TEXT_INDENT = 4, TERM_INDENT = 8, COLUMN_GAP = 2, WIDTH_MIN = 20 };

// Characters, each with its kind, and what is broken into lines at its blanks.
struct styled {
        struct buf characters, kinds;
};

static void styled_release(struct styled *styled) {
        buf_release(&styled->characters);
        buf_release(&styled->kinds);
}
#define auto_styled __attribute__((cleanup(styled_release))) struct styled

static void styled_add(struct styled *styled, const char *text, enum span_kind kind) {
        for (; *text; text++) {
                buf_append_char(&styled->characters, *text);
                buf_append_char(&styled->kinds, (char)kind);
        }
}

static void styled_add_spans(struct styled *styled, const struct spans *spans) {
        for (size_t i = 0; i < spans->count; i++) {
                const struct span *span = &spans->items[i];
                styled_add(styled, span->text, span->kind);
                bool has_target = span->kind == SPAN_LINK && strcmp(span->target, span->text) != 0;
                if (!has_target)
                        continue;
                styled_add(styled, " (", SPAN_PLAIN);
                styled_add(styled, span->target, SPAN_LINK);
                styled_add(styled, ")", SPAN_PLAIN);
        }
}

static bool is_inner_byte(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

static size_t columns_of(const char *text, size_t size) {
        size_t columns = 0;
        for (size_t i = 0; i < size; i++)
                columns += !is_inner_byte(text[i]);
        return columns;
}

static const char *terminal_escape(char kind) {
        switch ((enum span_kind)kind) {
        case SPAN_CODE:
        case SPAN_BOLD:
        case SPAN_PAGE:
                return "\033[1m";
        case SPAN_EMPHASIS:
        case SPAN_LINK:
                return "\033[4m";
        case SPAN_PLAIN:
                break;
        }
        return "\033[0m";
}

// Bytes `from` to `to`, and the terminal as it was afterwards.
static void put_styled(struct buf *out, const struct styled *styled, size_t from, size_t to, bool with_style) {
        char kind = SPAN_PLAIN;
        for (size_t i = from; i < to; i++) {
                if (with_style && styled->kinds.data[i] != kind) {
                        buf_append_text(out, "\033[0m");
                        buf_append_text(out, terminal_escape(styled->kinds.data[i]));
                }
                kind = styled->kinds.data[i];
                buf_append_char(out, styled->characters.data[i]);
        }
        if (with_style && kind != SPAN_PLAIN)
                buf_append_text(out, "\033[0m");
}

// Where the line that begins at `from` ends so that it has no more than `width` columns; a longer word stays whole.
static size_t line_end(const struct styled *styled, size_t from, size_t width) {
        const char *text = buf_text(&styled->characters);
        size_t end = from, size = styled->characters.size;
        while (end < size) {
                size_t word = end;
                while (word < size && text[word] == ' ')
                        word++;
                while (word < size && text[word] != ' ')
                        word++;
                if (end > from && columns_of(text + from, word - from) > width)
                        break;
                end = word;
        }
        return end;
}

static size_t skip_blanks(const struct styled *styled, size_t at) {
        while (at < styled->characters.size && styled->characters.data[at] == ' ')
                at++;
        return at;
}

static void put_indent(struct buf *out, size_t columns) {
        while (columns-- > 0)
                buf_append_char(out, ' ');
}

// The first line stands where the cursor is, `indent` columns from the left; the others are brought there.
static void put_filled(struct buf *out, const struct styled *styled, size_t indent, const struct text_form *form) {
        size_t width = size_max(form->width, indent + WIDTH_MIN) - indent;
        for (size_t at = 0; at < styled->characters.size;) {
                size_t end = line_end(styled, at, width);
                if (at > 0)
                        put_indent(out, indent);
                put_styled(out, styled, at, end, form->styled);
                buf_append_char(out, '\n');
                at = skip_blanks(styled, end);
        }
}

static void put_spans(struct buf *out, const struct spans *spans, size_t indent, const struct text_form *form) {
        auto_styled styled = { 0 };
        styled_add_spans(&styled, spans);
        put_filled(out, &styled, indent, form);
}

static void put_heading(struct buf *out, const struct spans *spans, size_t indent, const struct text_form *form) {
        auto_styled styled = { 0 };
        for (size_t i = 0; i < spans->count; i++)
                styled_add(&styled, spans->items[i].text, SPAN_BOLD);
        put_indent(out, indent);
        put_filled(out, &styled, indent, form);
}

static void put_code(struct buf *out, const char *code, const struct text_form *form) {
        while (*code) {
                size_t length = strcspn(code, "\n");
                auto_styled styled = { 0 };
                auto_free char *line = xstrndup(code, length);
                styled_add(&styled, line, SPAN_PLAIN);
                if (length > 0)
                        put_indent(out, 2 * TEXT_INDENT);
                put_styled(out, &styled, 0, length, form->styled);
                buf_append_char(out, '\n');
                code += length + (code[length] == '\n');
        }
}

// ---- tables ----

struct table {
        const struct block *block;
        struct styled *cells;
        size_t *widths;
};

static size_t table_width(const struct table *table, const size_t *widths) {
        size_t sum = 0;
        for (size_t i = 0; i < table->block->columns; i++)
                sum += widths[i] + COLUMN_GAP;
        return sum;
}

// As wide as their cells, or less: the widest are made smaller until all fit.
static void choose_widths(struct table *table, size_t room) {
        for (size_t i = 0; i < table->block->rows * table->block->columns; i++) {
                const struct buf *text = &table->cells[i].characters;
                size_t *width = &table->widths[i % table->block->columns];
                *width = size_max(*width, columns_of(buf_text(text), text->size));
        }
        while (table_width(table, table->widths) > room + COLUMN_GAP) {
                size_t widest = 0;
                for (size_t i = 0; i < table->block->columns; i++)
                        if (table->widths[i] > table->widths[widest])
                                widest = i;
                if (table->widths[widest] <= 8)
                        break;
                table->widths[widest]--;
        }
}

// A line of each cell of the row, from where the one before ended; false: nothing was left.
static bool put_row_line(struct buf *out, const struct table *table, size_t row, size_t *at,
                         const struct text_form *form) {
        struct buf line = { 0 };
        bool any = false;
        size_t pending = TEXT_INDENT; // blanks at the end of a line are not written
        for (size_t i = 0; i < table->block->columns; i++) {
                const struct styled *cell = &table->cells[row * table->block->columns + i];
                size_t end = line_end(cell, at[i], table->widths[i]);
                size_t columns = columns_of(buf_text(&cell->characters) + at[i], end - at[i]);
                if (end > at[i]) {
                        any = true;
                        put_indent(&line, pending);
                        put_styled(&line, cell, at[i], end, form->styled);
                        pending = 0;
                }
                pending += size_max(table->widths[i], columns) - columns + COLUMN_GAP;
                at[i] = skip_blanks(cell, end);
        }
        if (any)
                buf_printf(out, "%s\n", buf_text(&line));
        buf_release(&line);
        return any;
}

static void put_table(struct buf *out, const struct block *block, const struct text_form *form) {
        size_t cells = block->rows * block->columns;
        struct table table = { .block = block,
                               .cells = xcalloc(cells, sizeof *table.cells),
                               .widths = xcalloc(block->columns, sizeof *table.widths) };
        for (size_t i = 0; i < cells; i++)
                styled_add_spans(&table.cells[i], &block->cells[i]);
        choose_widths(&table, size_max(form->width, 40) - TEXT_INDENT);
        for (size_t row = 0; row < block->rows; row++) {
                auto_free size_t *at = xcalloc(block->columns, sizeof *at);
                size_t lines = 0;
                while (put_row_line(out, &table, row, at, form))
                        lines++;
                if (lines > 1 && row + 1 < block->rows)
                        buf_append_char(out, '\n');
        }
        for (size_t i = 0; i < cells; i++)
                styled_release(&table.cells[i]);
        free(table.cells);
        free(table.widths);
}

// ---- the page ----

static void put_item(struct buf *out, const struct block *block, const struct text_form *form) {
        put_indent(out, TEXT_INDENT);
        if (block->kind == BLOCK_TERM) {
                put_spans(out, &block->term, TEXT_INDENT, form);
                put_indent(out, TERM_INDENT);
                put_spans(out, &block->text, TERM_INDENT, form);
                return;
        }
        auto_free char *mark = xstrdup("- ");
        if (block->kind == BLOCK_NUMBER) {
                free(mark);
                mark = xasprintf("%d. ", block->number);
        }
        buf_append_text(out, mark);
        put_spans(out, &block->text, TEXT_INDENT + strlen(mark), form);
}

static bool is_item_kind(enum block_kind kind) {
        return kind == BLOCK_BULLET || kind == BLOCK_NUMBER || kind == BLOCK_TERM;
}

static void put_block(struct buf *out, const struct block *block, const struct text_form *form) {
        switch (block->kind) {
        case BLOCK_SECTION:
                put_heading(out, &block->text, 0, form);
                break;
        case BLOCK_SUBSECTION:
                put_heading(out, &block->text, TEXT_INDENT / 2, form);
                break;
        case BLOCK_PARAGRAPH:
                put_indent(out, TEXT_INDENT);
                put_spans(out, &block->text, TEXT_INDENT, form);
                break;
        case BLOCK_CODE:
                put_code(out, block->code, form);
                break;
        case BLOCK_TABLE:
                put_table(out, block, form);
                break;
        case BLOCK_BULLET:
        case BLOCK_NUMBER:
        case BLOCK_TERM:
                put_item(out, block, form);
                break;
        }
}

void manual_write_text(const struct document *document, const struct text_form *form, struct buf *ret) {
        struct spans name = { &(struct span){ SPAN_PLAIN, "NAME", NULL }, 1 };
        put_heading(ret, &name, 0, form);
        auto_styled line = { 0 };
        styled_add(&line, document->name, SPAN_BOLD);
        styled_add(&line, " - ", SPAN_PLAIN);
        styled_add(&line, document->summary, SPAN_PLAIN);
        put_indent(ret, TEXT_INDENT);
        put_filled(ret, &line, TEXT_INDENT, form);
        enum block_kind before = BLOCK_PARAGRAPH;
        for (size_t i = 0; i < document->block_count; i++) {
                const struct block *block = &document->blocks[i];
                bool joins = before <= BLOCK_SUBSECTION || (is_item_kind(before) && before == block->kind);
                if (!joins)
                        buf_append_char(ret, '\n');
                put_block(ret, block, form);
                before = block->kind;
        }
}
