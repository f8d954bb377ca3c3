// SPDX-License-Identifier: MIT
// Members of JSON objects that somebody else wrote: absent, or of another type, they are "" and 0.
#ifndef KILN_BASE_JSON_MEMBER_H
#define KILN_BASE_JSON_MEMBER_H

#include <jansson.h>

#include "base/mem.h"

static inline const char *member_text(const json_t *object, const char *key) {
        return text_or(json_string_value(json_object_get(object, key)), "");
}

static inline json_int_t member_number(const json_t *object, const char *key) {
        return json_integer_value(json_object_get(object, key));
}

#endif
