// SPDX-License-Identifier: MIT
#include "status/expression.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/mem.h"

enum { LISTS_BYTES_MAX = 128 << 10 }; // some tenths of a second

// Behind the "[" of a list of characters; what is returned is its "]", or the end of an expression that is none.
static const char *end_of_list(const char *at) {
        at += *at == '^';
        at += *at == ']';
        while (*at && *at != ']') {
                bool is_class = at[0] == '[' && at[1] && strchr(":.=", at[1]);
                const char close[] = { at[1 * is_class], ']', '\0' };
                const char *end = NULL;
                if (is_class)
                        end = strstr(at + 2, close);
                if (end)
                        at = end + 1;
                at++;
        }
        return at;
}

// Whether it means the same within parentheses: groups that it refers to would be others, and a ")" that closes nothing
// would close them.
static bool fits_in_group(const char *expression) {
        int depth = 0;
        for (const char *at = expression; *at; at++) {
                if (*at == '[')
                        at = end_of_list(at + 1);
                else if (*at == '\\' && isdigit((unsigned char)at[1]))
                        return false;
                else if (*at == '\\' && at[1])
                        at++;
                else
                        depth += (*at == '(') - (*at == ')');
                if (!*at || depth < 0)
                        return false;
        }
        return depth == 0;
}

// `\w` is one, too.
static bool has_lists(const char *expression) {
        for (const char *at = expression; *at; at++) {
                bool is_escape = at[0] == '\\' && at[1];
                if (*at == '[' || (is_escape && isalnum((unsigned char)at[1])))
                        return true;
                at += is_escape;
        }
        return false;
}

bool expression_compile(const char *expression, struct expression *ret) {
        assert(expression && ret);
        const int flags = REG_EXTENDED | REG_NOSUB | REG_NEWLINE;
        ret->has_lists = has_lists(expression);
        if (!fits_in_group(expression))
                return regcomp(&ret->compiled, expression, flags) == 0;
        // With what may stand before it, it is tried once a line.
        auto_free char *whole = xasprintf("^.*(%s)", expression);
        return regcomp(&ret->compiled, whole, flags) == 0;
}

void expression_release(struct expression *expression) { regfree(&expression->compiled); }

int64_t expression_clock_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void replace_wrong_bytes(char *text) {
        mbstate_t state = { 0 };
        for (size_t left = strlen(text); left > 0;) {
                size_t size = mbrlen(text, left, &state);
                if (size > left) { // no character
                        *text = '?';
                        size = 1;
                        state = (mbstate_t){ 0 };
                }
                text += size;
                left -= size;
        }
}

static bool matches_within(const struct expression *expression, const char *text) {
        return regexec(&expression->compiled, text, 0, NULL, 0) == 0;
}

// The text is changed.
static enum expression_result search_lines(const struct expression *expression, char *text, int64_t until_ms) {
        enum expression_result result = EXPRESSION_ABSENT;
        char *line;
        while ((line = strsep(&text, "\n"))) {
                if (expression_clock_ms() >= until_ms)
                        return EXPRESSION_UNKNOWN;
                if (strlen(line) > LISTS_BYTES_MAX)
                        result = EXPRESSION_UNKNOWN;
                else if (matches_within(expression, line))
                        return EXPRESSION_FOUND;
        }
        return result;
}

enum expression_result expression_search(const struct expression *expression, const char *text, int64_t until_ms) {
        assert(expression && text);
        if (expression_clock_ms() >= until_ms)
                return EXPRESSION_UNKNOWN;
        auto_free char *clean = xstrdup(text);
        replace_wrong_bytes(clean);
        bool is_long = expression->has_lists && strlen(clean) > LISTS_BYTES_MAX;
        if (is_long)
                return search_lines(expression, clean, until_ms);
        if (matches_within(expression, clean))
                return EXPRESSION_FOUND;
        return EXPRESSION_ABSENT;
}

bool expression_matches(const char *expression, const char *text) {
        struct expression compiled;
        if (!expression_compile(expression, &compiled))
                return false;
        bool matches = expression_search(&compiled, text, INT64_MAX) == EXPRESSION_FOUND;
        expression_release(&compiled);
        return matches;
}
