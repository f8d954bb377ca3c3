// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <string.h>

#include "base/version.h"
#include "manual/manual_pages.h"

static const char style[] =
    ":root{color-scheme:light dark;--line:#8884;--link:light-dark(#0b57b0,#8ab8ff);--code:light-dark(#f3f3f0,#26282b)}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:14rem "
    "minmax(0,48rem);gap:2rem;"
    "padding:1rem 2rem}nav{border-right:1px solid var(--line);font-size:.9rem}nav ul{list-style:none;padding:0}"
    "nav [aria-current]{font-weight:bold}a{color:var(--link)}pre,code{background:var(--code);border-radius:3px}"
    "pre{padding:.7rem;overflow-x:auto}code{padding:0 .2em}pre code{padding:0}.short{white-space:nowrap}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid var(--line);padding:.3rem "
    ".5rem;"
    "text-align:left;vertical-align:top}dt{font-weight:bold;margin-top:.5rem}dd{margin-left:2rem}h1{font-size:1.5rem}"
    "h2{font-size:1.15rem;border-bottom:1px solid var(--line);margin-top:2rem}h3{font-size:1rem}"
    "footer{font-size:.8rem;margin-top:3rem;border-top:1px solid var(--line)}"
    "@media(max-width:50rem){body{display:block;padding:1rem}nav{border:0}}";

struct page_list {
        const struct document *pages;
        size_t count;
};

static void html_put(struct buf *out, const char *text) {
        for (; *text; text++) {
                if (*text == '&')
                        buf_append_text(out, "&amp;");
                else if (*text == '<')
                        buf_append_text(out, "&lt;");
                else if (*text == '>')
                        buf_append_text(out, "&gt;");
                else if (*text == '"')
                        buf_append_text(out, "&quot;");
                else
                        buf_append_char(out, *text);
        }
}

static bool has_page(const struct page_list *list, const char *target) {
        for (size_t i = 0; i < list->count; i++) {
                const struct document *page = &list->pages[i];
                size_t length = strlen(page->name);
                bool is_it = strncmp(target, page->name, length) == 0 && target[length] == '.' &&
                             strcmp(target + length + 1, page->section) == 0;
                if (is_it)
                        return true;
        }
        return false;
}

static void html_element(struct buf *out, const char *tag, const char *text) {
        buf_printf(out, "<%s>", tag);
        html_put(out, text);
        buf_printf(out, "</%s>", tag);
}

static void html_link(struct buf *out, const char *target, const char *suffix, const char *text) {
        buf_append_text(out, "<a href=\"");
        html_put(out, target);
        buf_printf(out, "%s\">", suffix);
        html_put(out, text);
        buf_append_text(out, "</a>");
}

// A short one is not broken, at a hyphen neither.
static void html_code(struct buf *out, const char *text) {
        enum { SHORT = 32 };
        const char *kind = "";
        if (strlen(text) <= SHORT)
                kind = " class=\"short\"";
        buf_printf(out, "<code%s>", kind);
        html_put(out, text);
        buf_append_text(out, "</code>");
}

static void html_span(struct buf *out, const struct span *span, const struct page_list *list) {
        switch (span->kind) {
        case SPAN_PLAIN:
                html_put(out, span->text);
                break;
        case SPAN_CODE:
                html_code(out, span->text);
                break;
        case SPAN_BOLD:
                html_element(out, "strong", span->text);
                break;
        case SPAN_EMPHASIS:
                html_element(out, "em", span->text);
                break;
        case SPAN_LINK:
                html_link(out, span->target, "", span->text);
                break;
        case SPAN_PAGE:
                if (has_page(list, span->target))
                        html_link(out, span->target, ".html", span->text);
                else
                        html_element(out, "strong", span->text);
                break;
        }
}

static void html_spans(struct buf *out, const struct spans *spans, const struct page_list *list) {
        for (size_t i = 0; i < spans->count; i++)
                html_span(out, &spans->items[i], list);
}

static void html_heading(struct buf *out, const struct spans *text, const char *tag, const struct page_list *list) {
        buf_printf(out, "<%s id=\"", tag);
        for (size_t i = 0; i < text->count; i++)
                for (const char *at = text->items[i].text; *at; at++)
                        buf_append_char(out, isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '-');
        buf_append_text(out, "\">");
        html_spans(out, text, list);
        buf_printf(out, "</%s>\n", tag);
}

static void html_table(struct buf *out, const struct block *table, const struct page_list *list) {
        buf_append_text(out, "<table>\n");
        for (size_t row = 0; row < table->rows; row++) {
                const char *tag = "td";
                if (row == 0)
                        tag = "th";
                buf_append_text(out, "<tr>");
                for (size_t i = 0; i < table->columns; i++) {
                        buf_printf(out, "<%s>", tag);
                        html_spans(out, &table->cells[row * table->columns + i], list);
                        buf_printf(out, "</%s>", tag);
                }
                buf_append_text(out, "</tr>\n");
        }
        buf_append_text(out, "</table>\n");
}

static const char *list_tag(enum block_kind kind) {
        switch (kind) {
        case BLOCK_BULLET:
                return "ul";
        case BLOCK_NUMBER:
                return "ol";
        case BLOCK_TERM:
                return "dl";
        default:
                return NULL;
        }
}

static void html_wrapped(struct buf *out, const char *tag, const struct spans *text, const struct page_list *list) {
        buf_printf(out, "<%s>", tag);
        html_spans(out, text, list);
        buf_printf(out, "</%s>\n", tag);
}

static void html_block(struct buf *out, const struct block *block, const struct page_list *list) {
        switch (block->kind) {
        case BLOCK_SECTION:
                html_heading(out, &block->text, "h2", list);
                break;
        case BLOCK_SUBSECTION:
                html_heading(out, &block->text, "h3", list);
                break;
        case BLOCK_PARAGRAPH:
                html_wrapped(out, "p", &block->text, list);
                break;
        case BLOCK_CODE:
                buf_append_text(out, "<pre tabindex=\"0\"><code>");
                html_put(out, block->code);
                buf_append_text(out, "</code></pre>\n");
                break;
        case BLOCK_TABLE:
                html_table(out, block, list);
                break;
        case BLOCK_TERM:
                html_wrapped(out, "dt", &block->term, list);
                html_wrapped(out, "dd", &block->text, list);
                break;
        case BLOCK_BULLET:
        case BLOCK_NUMBER:
                html_wrapped(out, "li", &block->text, list);
                break;
        }
}

static void html_blocks(struct buf *out, const struct document *document, const struct page_list *list) {
        const char *open = NULL;
        for (size_t i = 0; i < document->block_count; i++) {
                const char *tag = list_tag(document->blocks[i].kind);
                if (open && open != tag)
                        buf_printf(out, "</%s>\n", open);
                if (tag && open != tag)
                        buf_printf(out, "<%s>\n", tag);
                open = tag;
                html_block(out, &document->blocks[i], list);
        }
        if (open)
                buf_printf(out, "</%s>\n", open);
}

static void html_head(struct buf *out, const char *title, const struct document *current,
                      const struct page_list *list) {
        buf_printf(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width\"><title>%s</title><style>%s</style></head>\n<body>\n"
            "<nav aria-label=\"Pages\"><a href=\"index.html\">The manual</a><ul>\n",
            title, style);
        for (size_t i = 0; i < list->count; i++) {
                const struct document *page = &list->pages[i];
                const char *mark = "";
                if (current && strcmp(page->name, current->name) == 0 && strcmp(page->section, current->section) == 0)
                        mark = " aria-current=\"page\"";
                buf_printf(out, "<li><a href=\"%s.%s.html\"%s>%s(%s)</a></li>\n", page->name, page->section, mark,
                           page->name, page->section);
        }
        buf_append_text(out, "</ul></nav>\n<main>\n");
}

static void html_foot(struct buf *out) {
        buf_printf(out, "<footer>kiln %s, %s</footer>\n</main>\n</body></html>\n", KILN_VERSION, KILN_RELEASED);
}

void manual_write_html(const struct document *document, const struct document *pages, size_t page_count,
                       struct buf *ret) {
        struct page_list list = { pages, page_count };
        auto_free char *title = xasprintf("%s(%s)", document->name, document->section);
        html_head(ret, title, document, &list);
        buf_printf(ret, "<h1>%s</h1>\n<p>", title);
        html_put(ret, document->summary);
        buf_append_text(ret, "</p>\n");
        html_blocks(ret, document, &list);
        html_foot(ret);
}

void manual_write_index(const struct document *pages, size_t page_count, struct buf *ret) {
        struct page_list list = { pages, page_count };
        html_head(ret, "kiln: the manual", NULL, &list);
        buf_append_text(ret, "<h1>kiln: the manual</h1>\n<dl>\n");
        for (size_t i = 0; i < page_count; i++) {
                buf_printf(ret, "<dt><a href=\"%s.%s.html\">%s(%s)</a></dt><dd>", pages[i].name, pages[i].section,
                           pages[i].name, pages[i].section);
                html_put(ret, pages[i].summary);
                buf_append_text(ret, "</dd>\n");
        }
        buf_append_text(ret, "</dl>\n");
        html_foot(ret);
}
