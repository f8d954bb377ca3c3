// SPDX-License-Identifier: MIT
// The command line's words, split and quoted as the kernel does it (next_arg() in lib/cmdline.c).
#include <assert.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

// The kernel's: its table is Latin 1, where 0xa0 is a blank.
static bool is_kernel_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\xa0'; }

char *cmdline_next(char **at, char **ret_value) {
        assert(at && *at && ret_value);
        char *word = *at;
        while (is_kernel_blank(*word))
                word++;
        if (!*word)
                return NULL;
        bool quoted = *word == '"', inside = quoted;
        word += quoted;
        char *end = word, *equals = NULL;
        for (; *end && (inside || !is_kernel_blank(*end)); end++) {
                if (*end == '=' && !equals && end > word) // a word may begin with one
                        equals = end;
                if (*end == '"')
                        inside = !inside;
        }
        *at = end;
        if (*end) {
                *at = end + 1;
                *end = '\0';
        }
        if (quoted && end > word && end[-1] == '"')
                end[-1] = '\0';
        *ret_value = NULL;
        if (!equals)
                return word;
        *equals = '\0';
        char *value = equals + 1;
        if (*value == '"') {
                value++;
                if (end > value && end[-1] == '"')
                        end[-1] = '\0';
        }
        *ret_value = value;
        return word;
}

bool cmdline_is_end(const char *word, const char *value) { return !value && strcmp(word, "--") == 0; }

bool cmdline_value(const char *text, const char *name, char *ret, size_t size) {
        auto_free char *copy = xstrdup(text);
        char *at = copy, *value, *word;
        bool found = false;
        while ((word = cmdline_next(&at, &value)) && !cmdline_is_end(word, value)) {
                size_t length = 0;
                if (value)
                        length = strlen(value);
                if (strcmp(word, name) != 0 || length >= size)
                        continue;
                if (value)
                        memcpy(ret, value, length);
                ret[length] = '\0';
                found = true;
        }
        return found;
}
