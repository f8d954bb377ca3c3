// SPDX-License-Identifier: MIT
// With --json a verb's answer is JSON on standard output, and standard error holds events, a JSON object a line:
// "start" first, "result" last, whatever happened. `kiln schema KIND` has the schema of each kind, with its version.
#ifndef KILN_VERBS_VERB_ANSWER_H
#define KILN_VERBS_VERB_ANSWER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "verbs/verb.h"

// Rises with what a program that reads answers or events must know; the schemas' $id has it, too.
enum { ANSWER_FORMAT = 1 };

// Prints a verb's whole answer, an object, in a line, with "format" before its members, and keeps it for the "result"
// event. Takes it; NULL is a defect.
must_check bool answer_give(json_t *answer, struct err *err);

void answer_tell_start(const struct verb *verb);
// `status`: what kiln will exit with.
void answer_tell_result(const struct verb *verb, int status, int64_t elapsed_ms);

// ---- schemas ----

// Heap; NULL: no kind of answer is called so.
char *answer_schema(const char *kind);
char *answer_reference(const char *kind);
// Calls back for each, in the table's order.
void answer_each_kind(void (*each)(const char *kind, const char *title, void *context), void *context);

#endif
