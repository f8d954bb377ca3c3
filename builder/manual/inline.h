// SPDX-License-Identifier: MIT
// What stands within a line of a page.
#ifndef KILN_MANUAL_INLINE_H
#define KILN_MANUAL_INLINE_H

#include "manual/markup.h"

// ERR_INTERNAL: a mark that is not closed, or one that only Markdown has.
must_check bool spans_parse(struct arena *arena, const char *text, struct spans *ret, struct err *err);

// How long the term is that `text` begins with, as in "`--only` *KIND*: only these"; 0: it begins with none.
size_t term_length(const char *text);

#endif
