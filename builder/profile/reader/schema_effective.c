// SPDX-License-Identifier: MIT
#include "profile/reader/schema_effective.h"

#include "base/mem.h"

static struct value *rows_effective(struct arena *arena, const struct schema_field *row, const struct value *list) {
        struct value *items = value_list(arena);
        items->place = list->place;
        for (size_t i = 0; i < list->count; i++)
                value_append(arena, items, schema_effective(arena, row->table, list->items[i]));
        return items;
}

static struct value *field_effective(struct arena *arena, const struct schema_field *row, const struct value *given) {
        if (row->type == &type_tables && given && given->type == VALUE_LIST)
                return rows_effective(arena, row, given);
        // A thing of its own, such as a bond, is absent then; of what only groups keys the fallbacks hold.
        if (!given && row->type == &type_table && row->table->place != SCHEMA_NO_PLACE)
                return NULL;
        if (row->type == &type_table && (!given || given->type == VALUE_MAP)) {
                struct value *part = schema_effective(arena, row->table, given);
                return part->count > 0 ? part : NULL;
        }
        if (given)
                return (struct value *)given;
        if (!row->fallback)
                return NULL;
        struct value *value = value_scalar(arena, row->fallback);
        value->place.file = SCHEMA_DEFAULT;
        return value;
}

struct value *schema_effective(struct arena *arena, const struct schema *schema, const struct value *map) {
        struct value *whole = value_map(arena);
        if (map)
                whole->place = map->place;
        for (size_t i = 0; i < schema->field_count; i++) {
                const struct schema_field *row = &schema->fields[i];
                struct value *value = field_effective(arena, row, schema_given(map, row->key));
                if (value)
                        value_append_pair(arena, whole, row->key, &value->place, value);
        }
        return whole;
}
