// SPDX-License-Identifier: MIT
// Expressions of role files: they mean what regexec(3) makes of them, and take no time that hostile texts decide.
#include <locale.h>

#include "base/buf.h"
#include "base/mem.h"
#include "status/expression.h"
#include "tests/unit/test.h"

static bool plainly_matches(const char *expression, const char *text) {
        regex_t compiled;
        if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
                return false;
        bool matches = regexec(&compiled, text, 0, NULL, 0) == 0;
        regfree(&compiled);
        return matches;
}

static void they_mean_what_they_say(void) {
        static const char *const expressions[] = {
                "a",           "^a",      "a$",       "^a$",     "a|b",   "^a|b$",    ".",           "^.$",
                "^$",          "",        "a.*b",     "(a|b)c",  "a)|b",  "a)",       "(a",          "[)]a",
                "[(]a)|b",     "[]()]+b", "[^]()]+b", "\\(a\\)", "\\)|b", "(a)\\1",   "(.)b\\1",     "[[:alpha:](]b)|c",
                "[[:digit:]]", "[",       "[[:x",     "a\\",     "x{2}",  "*",        "a\nb",        "[[:space:]]b",
                "ä",           "^[äö]$",  "[^a]",     "()",      "a**",   "[[.].]]b", "[[=a=]]b)|c", "\\<a",
        };
        static const char *const texts[] = {
                "",     "a",   "b",    "c",    "ab",  "ba", "aa",   "a)",    "(a)", ")b",    "b)", "c)", "xa\n",
                "a\nb", "\nb", "x\nb", "aXXb", "a1b", "]b", "(b",   "(b)",   "bc",  "xx",    "*",  "ä",  "ö",
                "xäx",  "aba", "a\\",  "[",    "()",  " b", "b c)", "x\n\n", "(a",  "b\na)", "2",
        };
        for (size_t i = 0; i < lengthof(expressions); i++)
                for (size_t j = 0; j < lengthof(texts); j++) {
                        bool is_same =
                            expression_matches(expressions[i], texts[j]) == plainly_matches(expressions[i], texts[j]);
                        EXPECT(is_same);
                        if (!is_same)
                                printf("# `%s` in `%s`\n", expressions[i], texts[j]);
                }
}

static void bytes_that_are_no_character(void) {
        EXPECT(expression_matches("b", "\xff\xfe b"));
        EXPECT(expression_matches("^..b", "\xff\xc3"
                                          "b"));
        EXPECT(expression_matches("ä", "\xc3"
                                       "ä"));
        EXPECT(!expression_matches("b", "a\xe2\x80"));
}

// 16 MiB, with which a match at each place would take days.
static void texts_that_match_nowhere(void) {
        auto_buf text = { 0 };
        while (text.size < 16 << 20)
                buf_append_text(&text, "status ");
        EXPECT(!expression_matches("status.*ok", buf_text(&text)));
        EXPECT(!expression_matches("(status|s )+ok", buf_text(&text)));
        buf_append_text(&text, "ok");
        EXPECT(expression_matches("status.*ok", buf_text(&text)));
}

int main(void) {
        (void)setlocale(LC_ALL, "C.UTF-8"); // kiln's
        RUN(they_mean_what_they_say);
        RUN(bytes_that_are_no_character);
        RUN(texts_that_match_nowhere);
        return test_done();
}
