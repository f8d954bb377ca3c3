// SPDX-License-Identifier: MIT
// What a machine, a disk or a network says may hold any bytes; JSON holds UTF-8 only.
#ifndef KILN_NODE_FACTS_TEXT_JSON_H
#define KILN_NODE_FACTS_TEXT_JSON_H

#include <jansson.h>

// The text as a new JSON string, or "(not UTF-8)" in its place.
json_t *facts_text_json(const char *text);

#endif
