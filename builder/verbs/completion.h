// SPDX-License-Identifier: MIT
// Completion for shells, from the tables of verbs and options. The functions ask kiln for names that only files know.
#ifndef KILN_VERBS_COMPLETION_H
#define KILN_VERBS_COMPLETION_H

#include "base/err.h"

// A completion function for "bash" (NULL means it), "zsh" or "fish", to standard output. ERR_USAGE for another.
must_check bool completion_print(const char *shell, struct err *err);

// What fits a NODE, ROLE, BUILD, RELEASE or (kind of) ARTEFACT, a line each. `cluster`, a
// cluster file, may be NULL; one that cannot be read has no names. Nothing is printed for other words: they are files.
void completion_print_words(const char *value, const char *cluster);

#endif
