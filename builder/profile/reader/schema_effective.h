// SPDX-License-Identifier: MIT
// What a file says together with what its table says of keys that are absent.
#ifndef KILN_PROFILE_READER_SCHEMA_EFFECTIVE_H
#define KILN_PROFILE_READER_SCHEMA_EFFECTIVE_H

#include "profile/reader/schema.h"

// The file of a place that no file has: the value is a table's fallback.
#define SCHEMA_DEFAULT "default"

// A new map on the arena, in the table's order. Values are shared with `map`, which may be NULL and has been read
// without a mistake.
struct value *schema_effective(struct arena *arena, const struct schema *schema, const struct value *map);

#endif
