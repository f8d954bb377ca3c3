// SPDX-License-Identifier: MIT
// A tiny TAP writer. A test file is:
//
//     #include "tests/unit/test.h"
//     static void parses_empty_input(void) { EXPECT(x == 1); EXPECT_TEXT(name, "a"); }
//     int main(void) { RUN(parses_empty_input); return test_done(); }
#ifndef KILN_TESTS_TEST_H
#define KILN_TESTS_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_number, test_failures, test_bad;

// KILN_TEST names one test, or a part of its name: `tests/run unit/FILE/TEST`.
static inline bool test_is_wanted(const char *name) {
        const char *wanted = getenv("KILN_TEST");
        return !wanted || strstr(name, wanted);
}

#define EXPECT(condition)                                                                                              \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        test_bad++;                                                                                    \
                        printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                             \
                }                                                                                                      \
        } while (0)

#define EXPECT_TEXT(actual, expected)                                                                                  \
        do {                                                                                                           \
                const char *actual_ = (actual), *expected_ = (expected);                                               \
                if (!actual_ || strcmp(actual_, expected_) != 0) {                                                     \
                        test_bad++;                                                                                    \
                        printf("# %s:%d: got \"%s\", want \"%s\"\n", __FILE__, __LINE__, actual_ ? actual_ : "(null)", \
                               expected_);                                                                             \
                }                                                                                                      \
        } while (0)

#define EXPECT_OK(call)                                                                                                \
        do {                                                                                                           \
                struct err err_ = { 0 }, *err = &err_;                                                                 \
                if (!(call)) {                                                                                         \
                        test_bad++;                                                                                    \
                        printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, err_.text ? err_.text : "no message");  \
                }                                                                                                      \
                err_release(&err_);                                                                                    \
        } while (0)

#define RUN(test)                                                                                                      \
        do {                                                                                                           \
                if (!test_is_wanted(#test))                                                                            \
                        break;                                                                                         \
                test_bad = 0;                                                                                          \
                test();                                                                                                \
                test_failures += test_bad > 0;                                                                         \
                printf("%s %d - %s\n", test_bad ? "not ok" : "ok", ++test_number, #test);                              \
        } while (0)

// In place of RUN() where it cannot run; the reason names what is missing.
#define SKIP(test, reason) (((void)(test)), printf("ok %d - %s # skip %s\n", ++test_number, #test, reason))

static inline int test_done(void) {
        printf("1..%d\n", test_number);
        return test_failures > 0 || test_number == 0;
}

#endif
