// SPDX-License-Identifier: MIT
// A list of texts. The texts are whoever's; the array is the heap's or an arena's, as its owner says.
#ifndef KILN_BASE_STRINGS_H
#define KILN_BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct strings {
        const char **items;
        size_t count;
};

bool strings_have(const struct strings *strings, const char *text);
// The array grows on the arena; an equal text is not added again. Lists of any origin may be added to: the old array
// stays as it is.
void strings_add_once(struct arena *arena, struct strings *strings, const char *text);
void strings_remove(struct strings *strings, const char *text);
void strings_sort(struct strings *strings); // by bytes

#endif
