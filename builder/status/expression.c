// SPDX-License-Identifier: MIT
#include "status/expression.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/mem.h"

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

bool expression_compile(const char *expression, regex_t *ret) {
        assert(expression && ret);
        const int flags = REG_EXTENDED | REG_NOSUB | REG_NEWLINE;
        if (!fits_in_group(expression))
                return regcomp(ret, expression, flags) == 0;
        // With what may stand before it, it is tried once a line.
        auto_free char *whole = xasprintf("^.*(%s)", expression);
        return regcomp(ret, whole, flags) == 0;
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

bool expression_is_in(const regex_t *compiled, const char *text) {
        assert(compiled && text);
        auto_free char *clean = xstrdup(text);
        replace_wrong_bytes(clean);
        return regexec(compiled, clean, 0, NULL, 0) == 0;
}

bool expression_matches(const char *expression, const char *text) {
        regex_t compiled;
        if (!expression_compile(expression, &compiled))
                return false;
        bool matches = expression_is_in(&compiled, text);
        regfree(&compiled);
        return matches;
}
