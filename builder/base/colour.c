// SPDX-License-Identifier: MIT
#include "base/colour.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define COLOUR_OFF "\033[0m"

static const char *const colour_starts[] = { [COLOUR_BAD] = "\033[31m",
                                             [COLOUR_DOUBTFUL] = "\033[33m",
                                             [COLOUR_GOOD] = "\033[32m",
                                             [COLOUR_FAINT] = "\033[2m" };

// At the beginning or the end of a line, or between blanks and stops. The longer of two that begin alike comes first.
static const struct {
        const char *word;
        enum colour colour;
} state_words[] = { { "not serving", COLOUR_BAD },  { "does not serve", COLOUR_BAD }, { "!!", COLOUR_BAD },
                    { "!", COLOUR_DOUBTFUL },       { "degraded", COLOUR_DOUBTFUL },  { "unknown", COLOUR_DOUBTFUL },
                    { "partial", COLOUR_DOUBTFUL }, { "healthy", COLOUR_GOOD },       { "answers", COLOUR_GOOD },
                    { "current", COLOUR_GOOD } };

bool terminal_obeys(int fd) {
        const char *terminal = getenv("TERM");
        bool is_dumb = !terminal || !*terminal || strcmp(terminal, "dumb") == 0;
        return !is_dumb && isatty(fd);
}

bool colour_is_wanted(int fd) {
        const char *no_color = getenv("NO_COLOR");
        bool is_refused = no_color && *no_color;
        return !is_refused && terminal_obeys(fd);
}

const char *colour_begin(enum colour colour, int fd) { return colour_is_wanted(fd) ? colour_starts[colour] : ""; }

const char *colour_end(int fd) { return colour_is_wanted(fd) ? COLOUR_OFF : ""; }

static bool ends_word(char byte) { return byte == '\0' || isspace((unsigned char)byte) || strchr(",:;()", byte); }

// The length of the word of state that `text` begins with, or 0.
static size_t state_word_at(const char *text, enum colour *ret) {
        for (size_t i = 0; i < lengthof(state_words); i++) {
                size_t length = strlen(state_words[i].word);
                if (strncmp(text, state_words[i].word, length) == 0 && ends_word(text[length])) {
                        *ret = state_words[i].colour;
                        return length;
                }
        }
        return 0;
}

void colour_append_states(struct buf *to, const char *text) {
        for (char before = ' '; *text; before = *text++) {
                enum colour colour;
                size_t length = ends_word(before) ? state_word_at(text, &colour) : 0;
                if (length == 0) {
                        buf_append_char(to, *text);
                        continue;
                }
                buf_printf(to, "%s%.*s%s", colour_starts[colour], (int)length, text, COLOUR_OFF);
                text += length - 1;
        }
}
