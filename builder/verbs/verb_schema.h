// SPDX-License-Identifier: MIT
// The kinds of schemas that kiln schema prints.
#ifndef KILN_VERBS_VERB_SCHEMA_H
#define KILN_VERBS_VERB_SCHEMA_H

// Calls back for each: files that people write, then what --json prints.
void schema_each_kind(void (*each)(const char *kind, const char *title, void *context), void *context);

#endif
