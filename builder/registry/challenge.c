// SPDX-License-Identifier: MIT
#include "registry/challenge.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"

#define TOKEN_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

static const char *skip_blanks_and_commas(const char *text) { return text + strspn(text, " \t,"); }

// A quoted string, with its escapes undone, or a token. NULL: neither.
static const char *read_parameter_value(const char *text, struct buf *ret) {
        if (*text != '"') {
                size_t length = strspn(text, TOKEN_CHARACTERS "/:=");
                buf_append(ret, text, length);
                return length > 0 ? text + length : NULL;
        }
        for (text++; *text && *text != '"'; text++) {
                if (*text == '\\' && text[1])
                        text++;
                buf_append_char(ret, *text);
        }
        return *text == '"' ? text + 1 : NULL;
}

static void keep_value(char to[static CHALLENGE_TEXT_SIZE], const char *value) {
        size_t length = strlen(value);
        if (!*to && length < CHALLENGE_TEXT_SIZE)
                memcpy(to, value, length + 1);
}

static bool is_named(const char *name, size_t length, const char *wanted) {
        return strlen(wanted) == length && strncasecmp(name, wanted, length) == 0;
}

static void keep_parameter(struct challenge *challenge, const char *name, size_t length, const char *value) {
        if (is_named(name, length, "realm"))
                keep_value(challenge->realm, value);
        else if (is_named(name, length, "service"))
                keep_value(challenge->service, value);
        else if (is_named(name, length, "scope"))
                keep_value(challenge->scope, value);
}

// "name=value" at `text`: what is behind it, or NULL if no parameter stands there.
static const char *read_parameter(const char *text, struct challenge *challenge) {
        auto_buf value = { 0 };
        size_t length = strspn(text, TOKEN_CHARACTERS);
        const char *equals = text + length + strspn(text + length, " \t");
        if (length == 0 || *equals != '=')
                return NULL;
        const char *rest = read_parameter_value(equals + 1 + strspn(equals + 1, " \t"), &value);
        if (rest)
                keep_parameter(challenge, text, length, buf_text(&value));
        return rest;
}

static enum challenge_kind kind_of_scheme(const char *scheme, size_t length) {
        if (is_named(scheme, length, "Bearer"))
                return CHALLENGE_BEARER;
        if (is_named(scheme, length, "Basic"))
                return CHALLENGE_BASIC;
        return CHALLENGE_NONE;
}

// The first one of a kind. False: there is none, and `ret` is empty.
static bool find_of_kind(const char *value, enum challenge_kind kind, struct challenge *ret) {
        for (const char *text = skip_blanks_and_commas(value); *text;) {
                *ret = (struct challenge){ 0 };
                size_t length = strspn(text, TOKEN_CHARACTERS);
                if (length == 0)
                        break;
                ret->kind = kind_of_scheme(text, length);
                text = skip_blanks_and_commas(text + length);
                for (const char *next; (next = read_parameter(text, ret)); text = skip_blanks_and_commas(next))
                        ;
                bool is_usable = kind != CHALLENGE_BEARER || *ret->realm;
                if (ret->kind == kind && is_usable)
                        return true;
        }
        *ret = (struct challenge){ 0 };
        return false;
}

void challenge_parse(const char *value, struct challenge *ret) {
        if (!find_of_kind(value, CHALLENGE_BEARER, ret))
                (void)find_of_kind(value, CHALLENGE_BASIC, ret);
}
