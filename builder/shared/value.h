// SPDX-License-Identifier: MIT
// A YAML (or JSON) document as a tree in which every node knows its place. Profiles are read into one; templates
// are rendered against one. All memory is the arena's. Shared with kiln-node.
#ifndef KILN_SHARED_VALUE_H
#define KILN_SHARED_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "shared/place.h"

enum value_type { VALUE_NULL, VALUE_SCALAR, VALUE_LIST, VALUE_MAP };

struct value {
        enum value_type type;
        struct place place;
        const char *text;         // SCALAR: as written ("0644", "true", "192.168.2.71")
        bool quoted;              // SCALAR: was quoted in the source, so never a number or boolean
        struct value **items;     // LIST: items; MAP: values
        const char **keys;        // MAP: keys, in the order written
        struct place *key_places; // MAP
        size_t count;
};

struct value *value_scalar(struct arena *arena, const char *text);
struct value *value_bool(struct arena *arena, bool truth);
struct value *value_list(struct arena *arena);
struct value *value_map(struct arena *arena);
void value_append(struct arena *arena, struct value *list, struct value *item);
void value_set(struct arena *arena, struct value *map, const char *key, struct value *item); // replaces
// Appends without looking for an equal key: readers check that themselves. `key_place` may be NULL.
void value_append_pair(struct arena *arena, struct value *map, const char *key, const struct place *key_place,
                       struct value *item);
struct value *value_get(const struct value *map, const char *key); // NULL if absent or not a map
// Mustache's idea of truth: null, false, no, off, "" and empty lists are false.
bool value_truth(const struct value *value);

#endif
