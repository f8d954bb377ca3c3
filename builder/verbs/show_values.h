// SPDX-License-Identifier: MIT
// A tree of values for people (YAML with the place of each value behind it) and programs (a JSON object for each).
#ifndef KILN_VERBS_SHOW_VALUES_H
#define KILN_VERBS_SHOW_VALUES_H

#include <jansson.h>

#include "base/err.h"
#include "shared/value.h"

// "networks.lan.gateway": keys of maps, names or numbers (from 0) of items of lists; a key that holds dots, such as a
// sysctl's, may be said whole. ERR_REFERENCE with the nearest key that there is.
must_check bool values_find(const struct value *root, const char *path, const struct value **ret, struct err *err);

void values_print(const struct value *value);
// {"key":PATH,"value":TEXT,"file":FILE,"line":N}, a line for each scalar, and for each list or map that is empty, whose
// value is [] or {}; no value: null; no file: kiln derived it.
void values_print_json(const struct value *value, const char *path);

// What is no UTF-8, such as the name of an overlay's file, is "?" there.
json_t *json_of_text(const char *text);

#endif
