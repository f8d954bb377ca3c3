// SPDX-License-Identifier: MIT
// What `kiln --help` says, and what `kiln VERB --help` does, from the tables of verbs, options and error kinds.
#ifndef KILN_VERBS_USAGE_H
#define KILN_VERBS_USAGE_H

#include <stdio.h>

#include "verbs/verb.h"

void usage_print(FILE *to);
void usage_print_verb(const struct verb *verb);

#endif
