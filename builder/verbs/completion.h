// SPDX-License-Identifier: MIT
// Completion for shells. What fits is found here, from the tables of verbs and options; a shell's function hands over
// the words of the line and shows what it gets.
#ifndef KILN_VERBS_COMPLETION_H
#define KILN_VERBS_COMPLETION_H

#include <stddef.h>

#include "base/err.h"

// The one line that says: names of files fit.
#define COMPLETION_FILES ":files"

// A completion function for "bash" (NULL means it), "zsh" or "fish", to standard output. ERR_USAGE for another.
must_check bool completion_print(const char *shell, struct err *err);

// What fits in the place of the last of `words`, which is as much of it as was typed; those before it stand between
// `kiln` and it, without quotes. Prints a word a line, behind a tab what it means, or COMPLETION_FILES, or nothing.
void completion_complete(const char *const *words, size_t count);

#endif
