// SPDX-License-Identifier: MIT
// POSIX extended regular expressions of role files, held against texts that nobody vouches for. regexec(3) tries a
// match at each place of a text, which takes the square of its length where none is: days for 16 MiB. Lists of
// characters, such as [a-z], take that in any case: of these no long line is looked at, and nothing for long.
#ifndef KILN_STATUS_EXPRESSION_H
#define KILN_STATUS_EXPRESSION_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

enum { EXPRESSION_LIMIT_MS = 3000 }; // for all that is made of one answer

struct expression {
        regex_t compiled;
        bool has_lists;
};

enum expression_result { EXPRESSION_ABSENT, EXPRESSION_FOUND, EXPRESSION_UNKNOWN };

// Compiles an expression for expression_search(). False: it is none. Released by expression_release().
bool expression_compile(const char *expression, struct expression *ret);
void expression_release(struct expression *expression);

// The processor time of this thread: no busy machine reads less for a limit by it.
int64_t expression_clock_ms(void);

// Whether it matches within the text, in which bytes that are no UTF-8 stand for any other character. Lines end what
// `.` matches, and `^` and `$` are theirs. What has lists is held against the lines of a long text, one by one, until
// `until_ms` of expression_clock_ms(). EXPRESSION_UNKNOWN: not all of it could be looked at.
enum expression_result expression_search(const struct expression *expression, const char *text, int64_t until_ms);

// All of it, of a text of a few kilobytes. An expression that does not compile matches nothing.
bool expression_matches(const char *expression, const char *text);

#endif
