// SPDX-License-Identifier: MIT
#include "shared/value.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static struct value *value_new(struct arena *arena, enum value_type type) {
        struct value *value = arena_alloc(arena, sizeof *value);
        value->type = type;
        return value;
}

// Text that kiln made is text, whatever it looks like: a node may be called "no".
struct value *value_scalar(struct arena *arena, const char *text) {
        struct value *value = value_new(arena, VALUE_SCALAR);
        value->text = arena_strdup(arena, text);
        value->quoted = true;
        return value;
}

struct value *value_bool(struct arena *arena, bool truth) {
        struct value *value = value_new(arena, VALUE_SCALAR);
        value->text = "false";
        if (truth)
                value->text = "true";
        return value;
}

struct value *value_list(struct arena *arena) {
        return value_new(arena, VALUE_LIST);
}
struct value *value_map(struct arena *arena) {
        return value_new(arena, VALUE_MAP);
}

void value_append(struct arena *arena, struct value *list, struct value *item) {
        assert(list->type == VALUE_LIST && item);
        list->items = arena_grow(arena, list->items, list->count, sizeof(struct value *));
        list->items[list->count++] = item;
}

void value_append_pair(struct arena *arena, struct value *map, const char *key, const struct place *key_place,
                       struct value *item) {
        assert(map->type == VALUE_MAP && item);
        map->items = arena_grow(arena, map->items, map->count, sizeof(struct value *));
        map->keys = arena_grow(arena, map->keys, map->count, sizeof(const char *));
        map->key_places = arena_grow(arena, map->key_places, map->count, sizeof(struct place));
        map->keys[map->count] = arena_strdup(arena, key);
        map->key_places[map->count] = (struct place){ 0 };
        if (key_place)
                map->key_places[map->count] = *key_place;
        map->items[map->count] = item;
        map->count++;
}

void value_set(struct arena *arena, struct value *map, const char *key, struct value *item) {
        assert(map->type == VALUE_MAP && item);
        for (size_t i = 0; i < map->count; i++) {
                if (strcmp(map->keys[i], key) == 0) {
                        map->items[i] = item;
                        return;
                }
        }
        value_append_pair(arena, map, key, NULL, item);
}

struct value *value_get(const struct value *map, const char *key) {
        if (!map || map->type != VALUE_MAP)
                return NULL;
        for (size_t i = 0; i < map->count; i++)
                if (strcmp(map->keys[i], key) == 0)
                        return map->items[i];
        return NULL;
}

bool value_truth(const struct value *value) {
        static const char *const falsehoods[] = { "false", "no", "off" };
        if (!value || value->type == VALUE_NULL)
                return false;
        if (value->type == VALUE_LIST)
                return value->count > 0;
        if (value->type == VALUE_MAP)
                return true;
        if (value->text[0] == '\0')
                return false;
        for (size_t i = 0; i < lengthof(falsehoods); i++)
                if (!value->quoted && strcasecmp(value->text, falsehoods[i]) == 0)
                        return false;
        return true;
}
