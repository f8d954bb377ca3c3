// SPDX-License-Identifier: MIT
#include "base/shell_word.h"

#include <string.h>

#include "base/buf.h"

// Between single quotes nothing has a meaning but the quote.
const char *shell_word(struct arena *arena, const char *word) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:@_";
        auto_buf text = { 0 };
        if (word[0] && word[strspn(word, plain)] == '\0')
                return arena_strdup(arena, word);
        buf_append_char(&text, '\'');
        for (; *word; word++) {
                if (*word == '\'')
                        buf_append_text(&text, "'\\''");
                else
                        buf_append_char(&text, *word);
        }
        buf_append_char(&text, '\'');
        return arena_strdup(arena, buf_text(&text));
}
