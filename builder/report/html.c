// SPDX-License-Identifier: MIT
#include "report/html.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"

static const char *escape_of(char byte) {
        switch (byte) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '"':
                return "&quot;";
        case '\'':
                return "&#39;";
        default:
                return NULL;
        }
}

static void append_html_escaped(struct buf *to, const char *text, size_t size) {
        for (size_t i = 0; i < size; i++) {
                const char *escape = escape_of(text[i]);
                if (escape)
                        buf_append_text(to, escape);
                else
                        buf_append_char(to, text[i]);
        }
}

void html_text(struct buf *to, const char *text) {
        auto_buf printable = { 0 };
        mistake_printable(&printable, text, strlen(text));
        append_html_escaped(to, buf_text(&printable), printable.size);
}

static bool begins_character(char byte) { return ((unsigned char)byte & 0xc0) != 0x80; }

void html_text_cut(struct buf *to, const char *text, size_t max) {
        auto_buf printable = { 0 };
        mistake_printable(&printable, text, strlen(text));
        size_t size = 0, characters = 0, last = 0;
        for (; size < printable.size; size++) {
                if (!begins_character(printable.data[size]))
                        continue;
                if (characters == max) {
                        append_html_escaped(to, printable.data, last);
                        buf_append_text(to, "…");
                        return;
                }
                last = size;
                characters++;
        }
        append_html_escaped(to, buf_text(&printable), printable.size);
}

void html_format(struct buf *to, const char *markup, ...) {
        va_list arguments;
        va_start(arguments, markup);
        for (const char *at = markup; *at;) {
                size_t plain = strcspn(at, "%");
                buf_append(to, at, plain);
                at += plain;
                if (!*at)
                        break;
                assert(at[1] == 's');
                html_text(to, va_arg(arguments, const char *));
                at += 2;
        }
        va_end(arguments);
}

char *html_size(int64_t bytes) {
        if (bytes >= 1000000)
                return xasprintf("%.1f MB", (double)bytes / 1e6);
        if (bytes >= 1000)
                return xasprintf("%.0f kB", (double)bytes / 1e3);
        if (bytes < 0)
                bytes = 0;
        return xasprintf("%jd B", (intmax_t)bytes);
}

char *html_count(size_t count, const char *noun) {
        const char *plural = "s";
        if (count == 1)
                plural = "";
        return xasprintf("%zu %s%s", count, noun, plural);
}
