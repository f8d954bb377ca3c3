// SPDX-License-Identifier: MIT
// manual/: what pages may be written in, and what is made of it.
#include "manual/markup.h"
#include "base/buf.h"
#include "base/err.h"
#include "manual/manual_pages.h"
#include "tests/unit/test.h"

static const char PAGE[] = "# kiln-x(7): what it is\n"
                           "\n"
                           "## WORDS\n"
                           "\n"
                           "A `.dot`, *soft* and **hard**, a \\*star\\*, kiln-y(1) & [there](https://kiln.test/a).\n"
                           "Its second line.\n"
                           "\n"
                           "- one\n"
                           "- two,\n"
                           "  which goes on\n"
                           "- `--only` *KIND*: a term\n"
                           "\n"
                           "1. first\n"
                           "\n"
                           "| a | b \\| c |\n"
                           "|---|---|\n"
                           "| `d` | ü |\n"
                           "\n"
                           "```sh\n"
                           ".kiln 'x' <y>\n"
                           "```\n";

static void a_page_becomes_text(void) {
        struct arena arena = { 0 };
        struct document page;
        auto_buf text = { 0 };
        EXPECT_OK(markup_parse(&arena, PAGE, &page, err));
        manual_write_text(&page, &(struct text_form){ .width = 60 }, &text);
        EXPECT_TEXT(buf_text(&text), "NAME\n"
                                     "    kiln-x - what it is\n"
                                     "\n"
                                     "WORDS\n"
                                     "    A .dot, soft and hard, a *star*, kiln-y(1) & there\n"
                                     "    (https://kiln.test/a). Its second line.\n"
                                     "\n"
                                     "    - one\n"
                                     "    - two, which goes on\n"
                                     "\n"
                                     "    --only KIND\n"
                                     "        a term\n"
                                     "\n"
                                     "    1. first\n"
                                     "\n"
                                     "    a  b | c\n"
                                     "    d  ü\n"
                                     "\n"
                                     "        .kiln 'x' <y>\n");
        arena_release(&arena);
}

static void a_page_becomes_roff(void) {
        struct arena arena = { 0 };
        struct document page;
        auto_buf text = { 0 };
        EXPECT_OK(markup_parse(&arena, PAGE, &page, err));
        manual_write_roff(&page, &text);
        EXPECT(strstr(buf_text(&text), "\n.SH WORDS\nA \\fB.dot\\fR, \\fIsoft\\fR and"));
        EXPECT(strstr(buf_text(&text), "\n.TP\n\\fB\\-\\-only\\fR \\fIKIND\\fR\na term\n"));
        EXPECT(strstr(buf_text(&text), "\n.EX\n\\&.kiln \\(aqx\\(aq <y>\n.EE\n")); // no request begins there
        EXPECT(strstr(buf_text(&text), "T{\n\\[u00FC]\nT}\n"));
        arena_release(&arena);
}

static void a_page_becomes_html(void) {
        struct arena arena = { 0 };
        struct document page;
        auto_buf text = { 0 };
        EXPECT_OK(markup_parse(&arena, PAGE, &page, err));
        manual_write_html(&page, &page, 1, &text);
        EXPECT(strstr(buf_text(&text), "<strong>kiln-y(1)</strong> &amp; <a href=\"https://kiln.test/a\">there</a>"));
        EXPECT(strstr(buf_text(&text), "<li>two, which goes on</li>\n</ul>\n<dl>\n<dt>"));
        EXPECT(strstr(buf_text(&text), ".kiln 'x' &lt;y&gt;\n</code></pre>"));
        arena_release(&arena);
}

static void mistakes_have_a_line(void) {
        static const char *const texts[][2] = {
                { "kiln-x", "begins with `# NAME(SECTION): what it is`" },
                { "# kiln-x(7): x\n\na `b\n", "is not closed: `b" },
                { "# kiln-x(7): x\n\na * b\n", "`*` is not closed" },
                { "# kiln-x(7): x\n\na <b>\n", "`<` needs a backslash" },
                { "# kiln-x(7): x\n\n<!-- opitons -->\n", "nothing is called <!-- opitons -->" },
                { "# kiln-x(7): x\n\n    code\n", "what is indented goes on with an item" },
                { "# kiln-x(7): x\n\n#### deep\n", "a heading is ## or ###" },
                { "# kiln-x(7): x\n\n```sh\nkiln\n", "``` is not closed" },
                { "# kiln-x(7): x\n\n| a | b |\n|---|---|\n| c |\n", "1 cells in a table of 2 columns" },
        };
        for (size_t i = 0; i < lengthof(texts); i++) {
                struct arena arena = { 0 };
                auto_err err = { 0 };
                struct document page;
                EXPECT(!markup_parse(&arena, texts[i][0], &page, &err));
                EXPECT(strstr(err.text, texts[i][1]));
                EXPECT(strstr(err.text, "near line "));
                arena_release(&arena);
        }
}

static void what_is_escaped_is_itself(void) {
        static const char TEXT[] = "a * b [c] <d> | \\ `e * f`";
        struct arena arena = { 0 };
        struct document page;
        auto_buf source = { 0 }, text = { 0 };
        buf_append_text(&source, "# kiln-x(7): x\n\n");
        markup_escape(&source, TEXT);
        EXPECT_OK(markup_parse(&arena, buf_text(&source), &page, err));
        manual_write_text(&page, &(struct text_form){ .width = 80 }, &text);
        EXPECT_TEXT(buf_text(&text), "NAME\n    kiln-x - x\n\n    a * b [c] <d> | \\ e * f\n");
        arena_release(&arena);
}

int main(void) {
        RUN(a_page_becomes_text);
        RUN(a_page_becomes_roff);
        RUN(a_page_becomes_html);
        RUN(mistakes_have_a_line);
        RUN(what_is_escaped_is_itself);
        return test_done();
}
