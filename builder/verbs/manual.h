// SPDX-License-Identifier: MIT
// What is written from the tables of verbs, options and error kinds, so that it cannot disagree with them.
#ifndef KILN_VERBS_MANUAL_H
#define KILN_VERBS_MANUAL_H

#include "verbs/options.h"

// kiln(1) in mdoc(7), to standard output.
void manual_print(const struct verb *verbs, size_t count);

// A completion function for bash, to standard output.
void completion_print(const struct verb *verbs, size_t count);

#endif
