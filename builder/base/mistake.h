// SPDX-License-Identifier: MIT
// Help for messages about what a user wrote: the nearest known name, and the line with a caret. Shared with kiln-node.
#ifndef KILN_BASE_MISTAKE_H
#define KILN_BASE_MISTAKE_H

#include <stddef.h>

#include "base/buf.h"

// Edits (insert, delete, replace, swap of neighbours) between two names; long names count as 64 bytes.
size_t mistake_distance(const char *a, const char *b);

// Collects the nearest of the names offered. Zero it, set `wanted`; `best` is NULL if none is near enough to be meant.
struct nearest {
        const char *wanted, *best;
        size_t distance;
};
void nearest_offer(struct nearest *nearest, const char *name);

// The 1-based line and column (in characters) of a byte offset.
void mistake_locate(const char *text, size_t size, size_t offset, int *ret_line, int *ret_column);

// Appends a text that a profile, package or server may have written: what is no printable UTF-8, or turns the direction
// of writing, becomes "?", so that it neither plays with the terminal nor breaks JSON.
void mistake_printable(struct buf *buf, const char *text, size_t size);

// Appends "\n    LINE\n    ^" with the caret below `column`. Nothing if the text has no such line. Long lines are cut.
void mistake_excerpt(struct buf *buf, const char *text, size_t size, int line, int column);

#endif
