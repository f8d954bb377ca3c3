// SPDX-License-Identifier: MIT
// Tables that are the grammar of a profile. A row says where a key's value goes in a struct, what it must be, and
// what it is for; one engine reads trees by them, finds unknown keys and wrong values, and writes the JSON Schema
// and the reference that editors and profiles(5) use. A new kind of value is one `struct schema_type`.
#ifndef KILN_PROFILE_READER_SCHEMA_H
#define KILN_PROFILE_READER_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "base/strings.h"
#include "profile/reader/diagnostics.h"

struct schema_field;

struct schema_reader {
        struct arena *arena;
        struct diagnostics *diagnostics;
};

struct schema_type {
        const char *what; // "an IPv4 address": for messages and the reference
        // JSON Schema: "string", "integer", "boolean", "object", "array" and, for texts, a pattern. "array" without a
        // table holds strings.
        const char *json, *json_pattern;
        // Stores into `field` (row->offset applied) of `object`, or reports what is wrong with the value.
        void (*read)(const struct schema_reader *reader, const struct schema_field *row, const struct value *value,
                     void *object);
        // When the key is absent and has no fallback: stores -1. NULL: the member keeps what it has, zero.
        void (*absent)(const struct schema_field *row, void *object);
};

struct schema_field {
        const char *key;
        const char *help; // one line for the reference
        const struct schema_type *type;
        size_t offset; // of the member that is written
        size_t second; // of its companion: count of tables, prefix of a subnet, `has` of a MAC, end of a range
        bool required;
        const char *required_hint;  // what to do where it is missing; NULL: its help says enough
        bool or_one;                // lists of texts: a single text is a list of one
        const char *fallback;       // read when the key is absent; NULL: the member keeps what it has
        long min, max;              // integers, both inclusive; unchecked if both are 0
        const char *const *choices; // NULL-terminated
        const char *pattern;        // texts and items of lists: POSIX extended (and JSON Schema's) expression ...
        const char *pattern_means;  // ... and what it asks for, after "must be"
        const struct schema *table; // type_table and type_tables
        bool is_path;               // texts, and values of maps: of the build host, as seen from the file
};

struct schema {
        const char *what; // "a node"
        const char *help; // one line
        const struct schema_field *fields;
        size_t field_count;
        size_t size;  // of the struct
        size_t place; // offset of its struct place, or SCHEMA_NO_PLACE
};
#define SCHEMA_NO_PLACE SIZE_MAX

extern const struct schema_type type_text, // const char *
    type_number_text,                      // const char *, a text that looks like a number
    type_bool,                             // bool
    type_optional_bool,                    // int: -1 if absent, 0, 1
    type_integer,                          // int (or uint32_t)
    type_optional_count,                   // int, -1 if absent
    type_id,                               // int64_t, -1 if absent
    type_mode,                             // int, octal, -1 if absent
    type_choice,                           // int, index into `choices`
    type_texts,                            // struct strings
    type_number_texts,                     // struct strings, items that look like numbers
    type_tree,                             // const struct value *, a map of anything
    type_scalars,                          // const struct value *, a map of texts and numbers
    type_renames,                          // const struct value *, a map name -> name, list of names, null
    type_address,                          // struct in_addr
    type_subnet,                           // struct in_addr, int
    type_address_range,                    // struct in_addr, struct in_addr
    type_mac,                              // unsigned char[6], bool
    type_path,                             // const char *, absolute path in an image
    type_paths,                            // struct strings of them
    type_table,                            // a struct of `table`
    type_tables;                           // struct *, size_t

// Fills `object`. Every mistake is reported; members of texts are never NULL afterwards unless a fallback is absent
// and so is the key. Returns false if anything was reported.
bool schema_read(const struct schema_reader *reader, const struct schema *schema, const struct value *map,
                 void *object);

// The value of a key of a map, or NULL if the key is absent or says null, or if there is no map.
const struct value *schema_given(const struct value *map, const char *key);
// Where a key's value stands, or else the map itself.
const struct place *schema_place(const struct value *map, const char *key);

// An absolute path with no ".", ".." or empty part and no control character.
bool image_path_is_plain(const char *path);

// "a list", "`text`", ... for messages.
const char *value_describe(struct arena *arena, const struct value *value);

// JSON Schema and plain reference text, on the heap.
// `kind` is in its $id, with the version: it rises when what was right no longer is.
enum { SCHEMA_VERSION = 1 };
char *schema_to_json(const struct schema *schema, const char *kind, const char *title);
char *schema_to_reference(const struct schema *schema);

// Row helpers: the designated initialisers of a member of `struct STRUCT`.
#define MEMBER(STRUCT, member) .offset = offsetof(struct STRUCT, member)
#define MEMBERS(STRUCT, first, other) .offset = offsetof(struct STRUCT, first), .second = offsetof(struct STRUCT, other)
#define SCHEMA(STRUCT, rows, WHAT, HELP)                                                                               \
        {                                                                                                              \
                .what = WHAT, .help = HELP, .fields = rows, .field_count = lengthof(rows),                             \
                .size = sizeof(struct STRUCT), .place = offsetof(struct STRUCT, place)                                 \
        }
// A map in the file whose rows write members of the struct around it: give its row no offset.
#define SCHEMA_PART(rows, WHAT, HELP)                                                                                  \
        { .what = WHAT, .help = HELP, .fields = rows, .field_count = lengthof(rows), .place = SCHEMA_NO_PLACE }

#endif
