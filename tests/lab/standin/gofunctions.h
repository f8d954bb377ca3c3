// SPDX-License-Identifier: MIT
// The values and functions of gotemplate.h.
#ifndef KILN_STANDIN_GOFUNCTIONS_H
#define KILN_STANDIN_GOFUNCTIONS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

enum { GO_ARGUMENTS_MAX = 16 };

bool go_is_map(const json_t *value);
bool go_truth(const json_t *value);
void go_print(struct buf *out, const json_t *value);

// Calls a function. A new reference; NULL with a message in `error`. With `live` false only the name and the number of
// arguments are checked, and the value is null.
json_t *go_call(const char *name, json_t **arguments, size_t count, bool live, struct buf *error);

#endif
