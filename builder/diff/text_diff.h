// SPDX-License-Identifier: MIT
// Unified diffs of small texts, as diff(1) -u and git print them.
#ifndef KILN_DIFF_TEXT_DIFF_H
#define KILN_DIFF_TEXT_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { TEXT_DIFF_MAX_BYTES = 256 << 10 };

struct text {
        const char *data;
        size_t size;
};

// Whether bytes can be shown as lines: UTF-8 without NULs, of at most TEXT_DIFF_MAX_BYTES.
bool text_is_shown(const struct text *text);

// Appends the hunks ("@@ -1,3 +1,4 @@" and lines that begin with ' ', '-', '+' or '\'), without a header; nothing if
// the two are equal. With three lines of context. Texts that differ in more than some thousand lines are told as one
// hunk that replaces all that lies between their common beginning and end.
void text_diff(const struct text *from, const struct text *to, struct buf *ret);

#endif
