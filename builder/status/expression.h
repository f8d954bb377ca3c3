// SPDX-License-Identifier: MIT
// POSIX extended regular expressions of role files, held against texts that nobody vouches for. regexec(3) tries a
// match at each place of a text, which takes the square of its length where none is: days for 16 MiB.
#ifndef KILN_STATUS_EXPRESSION_H
#define KILN_STATUS_EXPRESSION_H

#include <regex.h>
#include <stdbool.h>

// Compiles an expression for expression_is_in(), which takes time by the length of the text alone, except for
// references to groups and classes such as [[:alpha:]], of which glibc makes more work. False: it is none. Released by
// regfree().
bool expression_compile(const char *expression, regex_t *ret);

// Whether it matches within the text, in which bytes that are no UTF-8 stand for any other character. Lines end what
// `.` matches, and `^` and `$` are theirs.
bool expression_is_in(const regex_t *compiled, const char *text);

// Both. An expression that does not compile matches nothing.
bool expression_matches(const char *expression, const char *text);

#endif
