// SPDX-License-Identifier: MIT
// --set KEY.KEY=VALUE: changes in the cluster file's tree before it is checked, so that a wrong one is reported like
// a wrong line of the file.
#include <string.h>

#include "base/mistake.h"
#include "base/progress.h"
#include "profile/internal.h"
#include "profile/reader/yaml.h"

struct override {
        struct loader *loader;
        struct place place;
        const char *text;
};

static bool complain(const struct override *override, size_t offset, const char *message, const char *key) {
        struct place place = override->place;
        place.column = (int)offset + 1;
        report(override->loader->diagnostics, ERR_SCHEMA, &place, message, key);
        return false;
}

// The item of a list by its index or by its `name`.
static struct value *find_item(const struct value *list, const char *key) {
        char *end;
        unsigned long index = strtoul(key, &end, 10);
        if (key[0] >= '0' && key[0] <= '9' && *end == '\0' && index < list->count)
                return list->items[index];
        for (size_t i = 0; i < list->count; i++) {
                const struct value *name = value_get(list->items[i], "name");
                if (name && name->type == VALUE_SCALAR && strcmp(name->text, key) == 0)
                        return list->items[i];
        }
        return NULL;
}

static void replace_item(struct value *list, const struct value *old, struct value *item) {
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i] == old)
                        list->items[i] = item;
}

static bool refuse_item(const struct override *override, const struct value *list, size_t offset, const char *key) {
        struct nearest nearest = { .wanted = key };
        for (size_t i = 0; i < list->count; i++) {
                const struct value *name = value_get(list->items[i], "name");
                if (name && name->type == VALUE_SCALAR)
                        nearest_offer(&nearest, name->text);
        }
        complain(override, offset, "the list has no item `%s`", key);
        report_nearest(override->loader->diagnostics, nearest.best);
        return false;
}

static void assign(const struct override *override, struct value *map, const char *key, struct value *item) {
        value_set(override->loader->arena, map, key, item);
        for (size_t i = 0; i < map->count; i++)
                if (strcmp(map->keys[i], key) == 0)
                        map->key_places[i] = override->place;
}

// A new variable whose name is almost a known one's is a slip; any other is worth a word, since no template of the file
// can have needed it so far.
static bool check_new_variable(const struct override *override, const struct value *map, size_t offset,
                               const char *key) {
        struct nearest nearest = { .wanted = key };
        int size = (int)strcspn(override->text, "=");
        for (size_t i = 0; i < map->count; i++)
                nearest_offer(&nearest, map->keys[i]);
        if (!nearest.best) {
                warning("--set %.*s: the cluster file has no such variable; this adds it", size, override->text);
                return true;
        }
        struct place place = override->place;
        place.column = (int)offset + 1;
        report(override->loader->diagnostics, ERR_REFERENCE, &place, "the cluster file has no variable `%.*s`", size,
               override->text);
        report_nearest(override->loader->diagnostics, nearest.best);
        return false;
}

// Puts `item` at the path; maps on the way are made where there is nothing.
static bool put(const struct override *override, struct value *at, struct value *item) {
        struct arena *arena = override->loader->arena;
        size_t end = strcspn(override->text, "=");
        for (size_t offset = 0;;) {
                size_t size = strcspn(override->text + offset, ".=");
                const char *key = arena_strndup(arena, override->text + offset, size);
                bool last = offset + size >= end;
                if (size == 0)
                        return complain(override, offset, "an empty key in `%s`", override->text);
                struct value *next = at->type == VALUE_LIST ? find_item(at, key) : value_get(at, key);
                if (at->type == VALUE_LIST && !next)
                        return refuse_item(override, at, offset, key);
                if (at->type != VALUE_LIST && at->type != VALUE_MAP)
                        return complain(override, offset, "`%s` would be inside a text", key);
                if (!next && at->count > 0 && offset > 0 && strncmp(override->text, "variables.", 10) == 0 &&
                    !check_new_variable(override, at, offset, key))
                        return false;
                if (!last && (!next || next->type == VALUE_NULL)) {
                        next = value_map(arena);
                        next->place = override->place;
                        if (at->type == VALUE_MAP)
                                assign(override, at, key, next);
                }
                if (last && at->type == VALUE_LIST)
                        replace_item(at, next, item);
                else if (last)
                        assign(override, at, key, item);
                if (last)
                        return true;
                at = next;
                offset += size + 1;
        }
}

void override_apply(struct loader *loader, struct value *tree, const char *assignment) {
        const char *equals = strchr(assignment, '=');
        size_t key_size = equals ? (size_t)(equals - assignment) : strlen(assignment);
        const char *name = arena_printf(loader->arena, "--set %.*s", (int)key_size, assignment);
        struct override override = { loader, { name, 1, 1 }, arena_strdup(loader->arena, assignment) };
        diagnostics_add_source(loader->diagnostics, name, override.text, strlen(override.text));
        if (!equals) {
                complain(&override, 0, "`%s` has no `=`", assignment);
                report_hint(loader->diagnostics, "--set variables.name=value");
                return;
        }
        // The value keeps its columns: it is parsed behind as many blanks as the key has bytes.
        char *text = arena_strdup(loader->arena, assignment);
        memset(text, ' ', key_size + 1);
        struct value *item = equals[1] == '\0'
                                 ? value_scalar(loader->arena, "")
                                 : yaml_parse(name, text, strlen(text), loader->arena, loader->diagnostics);
        if (!item)
                return;
        if (!item->place.file)
                item->place = (struct place){ name, 1, (int)key_size + 2 };
        put(&override, tree, item);
}
