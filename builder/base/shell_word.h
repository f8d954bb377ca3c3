// SPDX-License-Identifier: MIT
// Words for a POSIX shell.
#ifndef KILN_BASE_SHELL_WORD_H
#define KILN_BASE_SHELL_WORD_H

#include "base/mem.h"

// A word as a shell reads it back, on the arena: between single quotes unless it has nothing that means something.
const char *shell_word(struct arena *arena, const char *word);

#endif
