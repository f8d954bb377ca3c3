// SPDX-License-Identifier: MIT
// Texts on their way into HTML and SVG.
#ifndef KILN_REPORT_HTML_H
#define KILN_REPORT_HTML_H

#include <stdint.h>

#include "base/buf.h"

// Appends a text that anybody may have written, so that it stays a text between tags and between quotes: `&`, `<`, `>`
// and both quotes are escaped; what is no printable UTF-8, or turns the direction of writing, becomes "?".
void html_text(struct buf *to, const char *text);

// The same of at most `max` characters, the last of them "…" where something is left out.
void html_text_cut(struct buf *to, const char *text, size_t max);

// Appends markup. Each `%s` of it is a text as html_text() writes it; nothing else follows a `%`.
void html_format(struct buf *to, const char *markup, ...);

// "12.3 MB", "640 kB", "12 B"; heap. Below 0: "0 B".
char *html_size(int64_t bytes);

// "12 packages", "1 package"; heap.
char *html_count(size_t count, const char *noun);

#endif
