// SPDX-License-Identifier: MIT
// A page of the manual as it is written (builder/manual/*.md): a small part of Markdown, so that forges and editors
// show it too. What is outside of that part is an error with its line.
//
//     # kiln-build(1): what it is, in a line        the title, which is the first line
//     ## SECTION and ### Subsection
//     a paragraph, - items, 1. numbered ones, - `term`: and what it means
//     | tables | whose second row | is |---|---|---|
//     ```sh                                         a fence: text as it is, until the next ```
//
// Within a line: `code`, **bold**, *emphasis*, [text](target), kiln-build(1), and a backslash before what shall be
// itself. An item is one paragraph.
#ifndef KILN_MANUAL_MARKUP_H
#define KILN_MANUAL_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

enum span_kind { SPAN_PLAIN, SPAN_CODE, SPAN_BOLD, SPAN_EMPHASIS, SPAN_LINK, SPAN_PAGE };

struct span {
        enum span_kind kind;
        const char *text;
        const char *target; // SPAN_LINK: a URL; SPAN_PAGE: "kiln-build.1"
};

struct spans {
        struct span *items;
        size_t count;
};

enum block_kind {
        BLOCK_SECTION,
        BLOCK_SUBSECTION,
        BLOCK_PARAGRAPH,
        BLOCK_CODE,
        BLOCK_BULLET,
        BLOCK_NUMBER,
        BLOCK_TERM,
        BLOCK_TABLE
};

struct block {
        enum block_kind kind;
        struct spans text;   // nothing for code and tables
        struct spans term;   // BLOCK_TERM
        int number;          // BLOCK_NUMBER
        const char *code;    // BLOCK_CODE: lines, each with its end
        struct spans *cells; // BLOCK_TABLE: row by row, the head first
        size_t rows, columns;
};

struct document {
        const char *name, *section, *summary; // "kiln-build", "1", what stands behind the colon
        struct block *blocks;
        size_t block_count;
};

// All of it is the arena's. ERR_INTERNAL with the page and the line: pages are part of the program.
must_check bool markup_parse(struct arena *arena, const char *text, struct document *ret, struct err *err);

// Puts a backslash before what would mean something, but for `code`.
struct buf;
void markup_escape(struct buf *buf, const char *text);

#endif
