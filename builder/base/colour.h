// SPDX-License-Identifier: MIT
// Colours of messages, for people at a terminal who want them: nothing is coloured elsewhere, with NO_COLOR
// (https://no-color.org), or on a terminal that says it can do nothing (TERM=dumb).
#ifndef KILN_BASE_COLOUR_H
#define KILN_BASE_COLOUR_H

#include <stdbool.h>

#include "base/buf.h"

enum colour { COLOUR_BAD, COLOUR_DOUBTFUL, COLOUR_GOOD, COLOUR_FAINT };

// Whether what is written to `fd` is shown by a terminal that takes commands at all, such as "clear this line".
bool terminal_obeys(int fd);
// Whether text on `fd` is to be coloured.
bool colour_is_wanted(int fd);

// What begins a colour on `fd`, and what ends it: "" where there are none.
const char *colour_begin(enum colour colour, int fd);
const char *colour_end(int fd);

// Appends `text`, which holds nothing that a terminal obeys, with those of its words coloured that say how something
// is.
void colour_append_states(struct buf *to, const char *text);

#endif
