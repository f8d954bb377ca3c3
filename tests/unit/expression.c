// SPDX-License-Identifier: MIT
// Expressions of role files: they mean what regexec(3) makes of them, and take no time that hostile texts decide.
#include <locale.h>

#include "base/buf.h"
#include "base/mem.h"
#include "status/answer.h"
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

// glibc takes the square of a line for lists of characters, and there are many lines: what could not be looked at in
// time is not known, and none of it is told.
static void texts_that_take_too_long(void) {
        struct health_value value = { .name = "words", .matches = "[[:alpha:]]+" };
        struct health_check check = {
                .kind = HEALTH_TEXT, .expect = "[[:alpha:]]+ok", .values = &value, .value_count = 1
        };
        struct probe probe = { .end = PROBE_ANSWERED };
        json_t *values = json_object();
        auto_buf why = { 0 };
        while (probe.answer.size < 16 << 20) {
                bool is_end = probe.answer.size % 60000 == 59999;
                buf_append_char(&probe.answer, is_end ? '\n' : 'a');
        }
        health_judge(&check, &probe, values, &why);
        EXPECT_TEXT(buf_text(&why), "the answer is too long to look for what is expected in it");
        EXPECT(json_object_size(values) == 0);
        probe.answer.size = 50000;
        buf_append_text(&probe.answer, " aok");
        check.expect = NULL;
        value.matches = "[[:alpha:]]+ok";
        buf_clear(&why);
        health_judge(&check, &probe, values, &why);
        EXPECT_TEXT(buf_text(&why), "the answer is too long to look for words in it");
        EXPECT(json_object_size(values) == 0);
        buf_clear(&probe.answer);
        buf_append_text(&probe.answer, "ab c aok");
        check.expect = value.matches;
        value.matches = "[[:alpha:]]+";
        buf_clear(&why);
        health_judge(&check, &probe, values, &why);
        EXPECT_TEXT(buf_text(&why), "");
        EXPECT(json_array_size(json_object_get(values, "words")) == 3);
        json_decref(values);
        buf_release(&probe.answer);
}

// Of every list and every single one: what regexec(3) finds, wherever it is.
static void values_anywhere_in_a_line(void) {
        struct health_value values[] = { { .name = "every", .matches = "=(ä[a-z]|^x|\\<y)" },
                                         { .name = "first", .match = "b+" } };
        struct health_check check = { .kind = HEALTH_TEXT, .values = values, .value_count = lengthof(values) };
        for (size_t before = 0; before < 300; before++) {
                struct probe probe = { .end = PROBE_ANSWERED };
                json_t *found = json_object();
                auto_buf why = { 0 };
                for (size_t i = 0; i < before; i++)
                        buf_append_text(&probe.answer, "ö");
                buf_append_text(&probe.answer, "=äk=x=äB ö=äm=ybbb");
                health_judge(&check, &probe, found, &why);
                const json_t *every = json_object_get(found, "every");
                EXPECT(json_array_size(every) == 3);
                EXPECT_TEXT(text_or(json_string_value(json_array_get(every, 0)), ""), "äk");
                EXPECT_TEXT(text_or(json_string_value(json_array_get(every, 1)), ""), "äm");
                EXPECT_TEXT(text_or(json_string_value(json_array_get(every, 2)), ""), "y");
                EXPECT_TEXT(text_or(json_string_value(json_object_get(found, "first")), ""), "bbb");
                json_decref(found);
                buf_release(&probe.answer);
        }
}

static void lines_that_are_too_long(void) {
        struct expression expression;
        auto_buf text = { 0 };
        while (text.size < 1 << 20)
                buf_append_text(&text, "status ");
        buf_append_text(&text, "\nis it ok?\n");
        EXPECT(expression_compile("[a-z]+ ok", &expression));
        EXPECT(expression_search(&expression, buf_text(&text), INT64_MAX) == EXPRESSION_FOUND);
        expression_release(&expression);
        EXPECT(expression_compile("[a-z]+ ko", &expression));
        EXPECT(expression_search(&expression, buf_text(&text), INT64_MAX) == EXPRESSION_UNKNOWN);
        EXPECT(expression_search(&expression, "", 0) == EXPRESSION_UNKNOWN);
        expression_release(&expression);
        EXPECT(expression_compile("\\[ko", &expression) && !expression.has_lists);
        EXPECT(expression_search(&expression, buf_text(&text), INT64_MAX) == EXPRESSION_ABSENT);
        expression_release(&expression);
}

int main(void) {
        (void)setlocale(LC_ALL, "C.UTF-8"); // kiln's
        RUN(they_mean_what_they_say);
        RUN(bytes_that_are_no_character);
        RUN(texts_that_match_nowhere);
        RUN(texts_that_take_too_long);
        RUN(values_anywhere_in_a_line);
        RUN(lines_that_are_too_long);
        return test_done();
}
