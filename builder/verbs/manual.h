// SPDX-License-Identifier: MIT
// What is written from the tables of verbs, options and error kinds, so that it cannot disagree with them.
#ifndef KILN_VERBS_MANUAL_H
#define KILN_VERBS_MANUAL_H

#include <stdio.h>

#include "verbs/verb.h"

// kiln(1) in mdoc(7), to standard output.
void manual_print(void);

// What `kiln --help` says, and what `kiln VERB --help` does.
void usage_print(FILE *to);
void usage_print_verb(const struct verb *verb);

#endif
