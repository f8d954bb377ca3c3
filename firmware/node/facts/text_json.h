// SPDX-License-Identifier: MIT
// What a machine, a disk or a network says may hold any bytes; JSON holds UTF-8 only.
#ifndef KILN_NODE_FACTS_TEXT_JSON_H
#define KILN_NODE_FACTS_TEXT_JSON_H

#include <jansson.h>

// The text as a new JSON string, with "?" for every byte that is no UTF-8.
json_t *facts_text_json(const char *text);

#endif
