// SPDX-License-Identifier: MIT
// The pages of the manual, builder/manual/*.md, which are part of the program, and the forms in which they are read.
#ifndef KILN_MANUAL_MANUAL_PAGES_H
#define KILN_MANUAL_MANUAL_PAGES_H

#include "base/buf.h"
#include "manual/markup.h"

// The source of each page, in the order of their files' names; NULL past the last.
const char *manual_source(size_t index);

struct text_form {
        size_t width; // of a line
        bool styled;  // bold and underlined, as terminals have it
};
void manual_write_text(const struct document *document, const struct text_form *form, struct buf *ret);

// man(7) with tbl(1).
void manual_write_roff(const struct document *document, struct buf *ret);

// A whole page of HTML. `pages` are those that there are, for links to them and for the list at the page's side.
void manual_write_html(const struct document *document, const struct document *pages, size_t page_count,
                       struct buf *ret);
// The page that lists them.
void manual_write_index(const struct document *pages, size_t page_count, struct buf *ret);

#endif
