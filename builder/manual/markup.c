// SPDX-License-Identifier: MIT
#include "manual/markup.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "manual/inline.h"

struct reader {
        struct arena *arena;
        const char **lines;
        size_t count, next; // `next`: the line that is looked at
        struct document *document;
};

static const char *line_at(const struct reader *reader) {
        if (reader->next < reader->count)
                return reader->lines[reader->next];
        return "";
}

static bool line_begins_with(const char *line, const char *prefix) {
        return strncmp(line, prefix, strlen(prefix)) == 0;
}

static bool is_blank(const char *line) { return line[strspn(line, " ")] == '\0'; }

static bool is_numbered(const char *line) {
        size_t digits = strspn(line, "0123456789");
        return digits > 0 && line_begins_with(line + digits, ". ");
}

static bool is_item(const char *line) { return line_begins_with(line, "- ") || is_numbered(line); }

static bool begins_block(const char *line) {
        return is_blank(line) || is_item(line) || line_begins_with(line, "#") || line_begins_with(line, "```") ||
               line_begins_with(line, "|") || line_begins_with(line, "<!--");
}

static struct block *add_block(struct reader *reader, enum block_kind kind) {
        struct document *document = reader->document;
        document->blocks = arena_grow(reader->arena, document->blocks, document->block_count, sizeof *document->blocks);
        struct block *block = &document->blocks[document->block_count++];
        *block = (struct block){ .kind = kind };
        return block;
}

// `first`, and the lines that go on with it, joined by blanks.
static const char *joined_lines(struct reader *reader, const char *first) {
        struct buf text = { 0 };
        buf_append_text(&text, first);
        for (reader->next++; reader->next < reader->count; reader->next++) {
                const char *line = line_at(reader);
                if (begins_block(line))
                        break;
                buf_append_char(&text, ' ');
                buf_append_text(&text, line + strspn(line, " "));
        }
        const char *ret = arena_strdup(reader->arena, buf_text(&text));
        buf_release(&text);
        return ret;
}

static bool parse_heading(struct reader *reader, struct err *err) {
        const char *line = line_at(reader);
        bool is_section = line_begins_with(line, "## ");
        if (!is_section && !line_begins_with(line, "### "))
                return fail(err, ERR_INTERNAL, 0, "a heading is ## or ###");
        struct block *block = add_block(reader, is_section ? BLOCK_SECTION : BLOCK_SUBSECTION);
        reader->next++;
        return spans_parse(reader->arena, line + strspn(line, "# "), &block->text, err);
}

static bool parse_code(struct reader *reader, struct err *err) {
        struct buf text = { 0 };
        for (reader->next++; reader->next < reader->count && !line_begins_with(line_at(reader), "```"); reader->next++)
                buf_printf(&text, "%s\n", line_at(reader));
        add_block(reader, BLOCK_CODE)->code = arena_strdup(reader->arena, buf_text(&text));
        buf_release(&text);
        if (reader->next == reader->count)
                return fail(err, ERR_INTERNAL, 0, "``` is not closed");
        reader->next++;
        return true;
}

static bool parse_item(struct reader *reader, struct err *err) {
        const char *line = line_at(reader);
        bool numbered = is_numbered(line);
        int number = atoi(line);
        const char *text = joined_lines(reader, strchr(line, ' ') + 1);
        size_t length = 0;
        if (!numbered)
                length = term_length(text);
        if (length == 0) {
                struct block *block = add_block(reader, numbered ? BLOCK_NUMBER : BLOCK_BULLET);
                block->number = number;
                return spans_parse(reader->arena, text, &block->text, err);
        }
        struct block *block = add_block(reader, BLOCK_TERM);
        return spans_parse(reader->arena, arena_strndup(reader->arena, text, length), &block->term, err) &&
               spans_parse(reader->arena, text + length + strlen(": "), &block->text, err);
}

// ---- tables ----

// The cell that begins at `*at`, behind its `|`, without blanks around it; NULL: the row is over.
static const char *next_cell(struct arena *arena, const char **at) {
        const char *begin = *at + strspn(*at, " "), *end = begin;
        if (*begin == '\0')
                return NULL;
        while (*end && *end != '|')
                end += 1 + (*end == '\\' && end[1]);
        *at = end + (*end == '|');
        while (end > begin && end[-1] == ' ')
                end--;
        return arena_strndup(arena, begin, (size_t)(end - begin));
}

static bool parse_row(struct reader *reader, struct block *table, struct err *err) {
        const char *at = line_at(reader) + 1, *cell;
        size_t columns = 0, cells = table->rows * table->columns;
        while ((cell = next_cell(reader->arena, &at))) {
                table->cells = arena_grow(reader->arena, table->cells, cells, sizeof *table->cells);
                if (!spans_parse(reader->arena, cell, &table->cells[cells++], err))
                        return false;
                columns++;
        }
        if (table->rows > 0 && columns != table->columns)
                return fail(err, ERR_INTERNAL, 0, "%zu cells in a table of %zu columns", columns, table->columns);
        table->columns = columns;
        table->rows++;
        return true;
}

static bool parse_table(struct reader *reader, struct err *err) {
        struct block table = { .kind = BLOCK_TABLE };
        for (; line_begins_with(line_at(reader), "|"); reader->next++) {
                bool is_rule = strspn(line_at(reader), "|-: ") == strlen(line_at(reader));
                if (is_rule != (table.rows == 1 && is_rule))
                        return fail(err, ERR_INTERNAL, 0, "|---| stands below the head of a table");
                if (!is_rule && !parse_row(reader, &table, err))
                        return false;
        }
        *add_block(reader, BLOCK_TABLE) = table;
        return true;
}

// ---- the whole ----

static bool parse_block(struct reader *reader, struct err *err) {
        const char *line = line_at(reader);
        if (line_begins_with(line, "#"))
                return parse_heading(reader, err);
        if (line_begins_with(line, "```"))
                return parse_code(reader, err);
        if (line_begins_with(line, "|"))
                return parse_table(reader, err);
        if (is_item(line))
                return parse_item(reader, err);
        if (line_begins_with(line, "<!--"))
                return fail(err, ERR_INTERNAL, 0, "nothing is called %s", line);
        if (*line == ' ')
                return fail(err, ERR_INTERNAL, 0, "what is indented goes on with an item; text as it is stands in ```");
        struct block *block = add_block(reader, BLOCK_PARAGRAPH);
        return spans_parse(reader->arena, joined_lines(reader, line), &block->text, err);
}

// "# name(1): summary"
static bool parse_title(struct reader *reader, struct err *err) {
        const char *line = line_at(reader), *open = strchr(line, '('), *close = strstr(line, "): ");
        if (!line_begins_with(line, "# ") || !open || !close || close != open + 2)
                return fail(err, ERR_INTERNAL, 0, "a page begins with `# NAME(SECTION): what it is`");
        struct document *document = reader->document;
        document->name = arena_strndup(reader->arena, line + 2, (size_t)(open - line) - 2);
        document->section = arena_strndup(reader->arena, open + 1, 1);
        document->summary = close + strlen("): ");
        reader->next++;
        return true;
}

static void cut_lines(struct reader *reader, const char *text) {
        for (const char *line = text; *line;) {
                size_t length = strcspn(line, "\n");
                reader->lines = arena_grow(reader->arena, reader->lines, reader->count, sizeof *reader->lines);
                reader->lines[reader->count++] = arena_strndup(reader->arena, line, length);
                line += length + (line[length] == '\n');
        }
}

static bool parse_page(struct reader *reader, struct err *err) {
        if (!parse_title(reader, err))
                return false;
        while (reader->next < reader->count) {
                if (is_blank(line_at(reader)))
                        reader->next++;
                else if (!parse_block(reader, err))
                        return false;
        }
        return true;
}

bool markup_parse(struct arena *arena, const char *text, struct document *ret, struct err *err) {
        *ret = (struct document){ 0 };
        struct reader reader = { .arena = arena, .document = ret };
        cut_lines(&reader, text);
        if (parse_page(&reader, err))
                return true;
        return wrap(err, "%s, near line %zu", text_or(ret->name, "a page"), reader.next + 1);
}

void markup_escape(struct buf *buf, const char *text) {
        bool in_code = false;
        for (; *text; text++) {
                in_code ^= *text == '`';
                if (strchr("*[<|\\", *text) && !in_code)
                        buf_append_char(buf, '\\');
                buf_append_char(buf, *text);
        }
}
