// SPDX-License-Identifier: MIT
#include "profile/reader/schema.h"

#include <assert.h>
#include <string.h>

#include "base/mistake.h"

static const struct schema_field *schema_find_field(const struct schema *schema, const char *key) {
        for (size_t i = 0; i < schema->field_count; i++)
                if (strcmp(schema->fields[i].key, key) == 0)
                        return &schema->fields[i];
        return NULL;
}

const struct value *schema_given(const struct value *map, const char *key) {
        const struct value *value = value_get(map, key);
        if (!value || value->type == VALUE_NULL)
                return NULL;
        return value;
}

const struct place *schema_place(const struct value *map, const char *key) {
        static const struct place nowhere;
        if (!map)
                return &nowhere;
        const struct value *value = value_get(map, key);
        if (!value || !value->place.file)
                return &map->place;
        return &value->place;
}

static bool is_inside_character(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; } // of UTF-8

// The first line of a text, and of a long one its beginning.
static const char *shortened(struct arena *arena, const char *text) {
        enum { SHOWN_BYTES = 40 };
        size_t length = size_min(strcspn(text, "\n"), SHOWN_BYTES);
        if (text[length] == '\0')
                return text;
        while (length > 0 && is_inside_character(text[length]))
                length--;
        return arena_printf(arena, "%.*s...", (int)length, text);
}

const char *value_describe(struct arena *arena, const struct value *value) {
        switch (value->type) {
        case VALUE_NULL:
                return "nothing";
        case VALUE_LIST:
                return "a list";
        case VALUE_MAP:
                return "a map";
        case VALUE_SCALAR:
                break;
        }
        const char *shown = shortened(arena, value->text);
        if (value->quoted)
                return arena_printf(arena, "the quoted text `%s`", shown);
        return arena_printf(arena, "`%s`", shown);
}

static void report_unknown_keys(const struct schema_reader *reader, const struct schema *schema,
                                const struct value *map) {
        for (size_t i = 0; i < map->count; i++) {
                if (schema_find_field(schema, map->keys[i]))
                        continue;
                struct nearest nearest = { .wanted = map->keys[i] };
                for (size_t j = 0; j < schema->field_count; j++)
                        nearest_offer(&nearest, schema->fields[j].key);
                report(reader->diagnostics, ERR_SCHEMA, &map->key_places[i], "unknown key `%s` in %s", map->keys[i],
                       schema->what);
                report_nearest(reader->diagnostics, nearest.best);
        }
}

static void schema_read_field(const struct schema_reader *reader, const struct schema *schema,
                              const struct schema_field *row, const struct value *map, void *object) {
        const struct value *value = value_get(map, row->key);
        if (value && value->type != VALUE_NULL) {
                row->type->read(reader, row, value, object);
        } else if (row->required) {
                const struct place *place = &map->place;
                if (value)
                        place = &value->place;
                report(reader->diagnostics, ERR_SCHEMA, place, "%s needs `%s`, %s", schema->what, row->key,
                       row->type->what);
                if (row->required_hint)
                        report_hint(reader->diagnostics, "%s", row->required_hint);
        } else if (row->fallback) {
                struct value fallback = { .type = VALUE_SCALAR, .text = row->fallback };
                row->type->read(reader, row, &fallback, object);
        } else if (row->type->read == type_table.read) {
                struct value empty = { .type = VALUE_MAP, .place = map->place };
                row->type->read(reader, row, &empty, object); // for the fallbacks of its rows
        } else if (row->type->absent) {
                row->type->absent(row, object);
        }
}

bool schema_read(const struct schema_reader *reader, const struct schema *schema, const struct value *map,
                 void *object) {
        assert(map && object);
        size_t before = reader->diagnostics->mistake_count;
        if (schema->place != SCHEMA_NO_PLACE)
                memcpy((char *)object + schema->place, &map->place, sizeof map->place);
        static const char *const empty = "";
        for (size_t i = 0; i < schema->field_count; i++) { // what is required and missing must not be NULL either
                const struct schema_field *row = &schema->fields[i];
                bool text = row->type->read == type_text.read || row->type->read == type_path.read;
                if (text && (row->required || row->fallback))
                        memcpy((char *)object + row->offset, &empty, sizeof empty);
        }
        if (map->type != VALUE_MAP) {
                report(reader->diagnostics, ERR_SCHEMA, &map->place, "%s must be a map, not %s", schema->what,
                       value_describe(reader->arena, map));
                return false;
        }
        report_unknown_keys(reader, schema, map);
        for (size_t i = 0; i < schema->field_count; i++)
                schema_read_field(reader, schema, &schema->fields[i], map, object);
        return reader->diagnostics->mistake_count == before;
}
