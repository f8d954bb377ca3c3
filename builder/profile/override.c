// SPDX-License-Identifier: MIT
// --set KEY.KEY=VALUE: changes in the cluster file's tree before it is checked, so that a wrong one is reported like
// a wrong line of the file.
#include <string.h>

#include "base/mistake.h"
#include "base/progress.h"
#include "profile/checks/checks.h"
#include "profile/internal.h"
#include "profile/reader/yaml.h"

struct override {
        struct loader *loader;
        struct place place;
        const char *text;
};

static bool refuse_assignment(const struct override *override, size_t offset, const char *message, const char *key) {
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
        refuse_assignment(override, offset, "the list has no item `%s`", key);
        report_nearest(override->loader->diagnostics, nearest.best);
        return false;
}

static void assign_key(const struct override *override, struct value *map, const char *key, struct value *item) {
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

// A key of the path, from `offset` on.
struct step {
        const char *key;
        size_t offset;
        bool is_last;
};

static bool is_new_variable(const struct override *override, const struct value *at, const struct step *step) {
        bool is_below_variables = step->offset > 0 && strncmp(override->text, "variables.", 10) == 0;
        return is_below_variables && at->count > 0 && !value_get(at, step->key);
}

static void set_item(const struct override *override, struct value *at, const struct step *step,
                     const struct value *old, struct value *item) {
        if (at->type == VALUE_LIST)
                replace_item(at, old, item);
        else
                assign_key(override, at, step->key, item);
}

static struct value *copy_container(struct arena *arena, const struct value *from) {
        struct value *copy = value_list(arena);
        if (from->type == VALUE_MAP)
                copy = value_map(arena);
        copy->place = from->place;
        for (size_t i = 0; i < from->count; i++) {
                if (from->type == VALUE_MAP)
                        value_append_pair(arena, copy, from->keys[i], &from->key_places[i], from->items[i]);
                else
                        value_append(arena, copy, from->items[i]);
        }
        return copy;
}

// What is below may stand in other places, too, by an alias or a merge of YAML: only this one is changed.
static struct value *own_container(const struct override *override, struct value *at, const char *key,
                                   struct value *next) {
        struct value *own = copy_container(override->loader->arena, next);
        for (size_t i = 0; i < at->count; i++) {
                bool is_it = at->items[i] == next && (at->type == VALUE_LIST || strcmp(at->keys[i], key) == 0);
                if (is_it) {
                        at->items[i] = own;
                        break;
                }
        }
        return own;
}

// Goes one key down from `*at`, or ends there. A map is made where there is nothing yet; in a list nothing new can be.
static bool take_step(const struct override *override, const struct step *step, struct value *item, struct value **at) {
        struct value *map = *at, *next = NULL;
        if (map->type == VALUE_LIST) {
                next = find_item(map, step->key);
                if (!next)
                        return refuse_item(override, map, step->offset, step->key);
        } else if (map->type == VALUE_MAP) {
                next = value_get(map, step->key);
                if (is_new_variable(override, map, step) && !check_new_variable(override, map, step->offset, step->key))
                        return false;
        } else {
                return refuse_assignment(override, step->offset, "`%s` would be inside a text", step->key);
        }
        if (step->is_last) {
                set_item(override, map, step, next, item);
                return true;
        }
        if (!next || next->type == VALUE_NULL) {
                struct value *made = value_map(override->loader->arena);
                made->place = override->place;
                set_item(override, map, step, next, made);
                next = made;
        } else if (next->type == VALUE_MAP || next->type == VALUE_LIST) {
                next = own_container(override, map, step->key, next);
        }
        *at = next;
        return true;
}

static void put_at_path(const struct override *override, struct value *tree, struct value *item) {
        size_t end = strcspn(override->text, "=");
        struct value *at = tree;
        for (size_t offset = 0; offset <= end;) {
                size_t size = strcspn(override->text + offset, ".=");
                struct step step = {
                        .key = arena_strndup(override->loader->arena, override->text + offset, size),
                        .offset = offset,
                        .is_last = offset + size >= end,
                };
                if (size == 0) {
                        refuse_assignment(override, offset, "an empty key in `%s`", override->text);
                        return;
                }
                if (!take_step(override, &step, item, &at))
                        return;
                offset += size + 1;
        }
}

void override_apply(struct loader *loader, struct value *tree, const char *assignment) {
        const char *equals = strchr(assignment, '=');
        size_t key_size = strcspn(assignment, "=");
        const char *name = arena_printf(loader->arena, "--set %.*s", (int)key_size, assignment);
        struct override override = { loader, { name, 1, 1 }, arena_strdup(loader->arena, assignment) };
        diagnostics_add_source(loader->diagnostics, name, override.text, strlen(override.text));
        if (!equals) {
                refuse_assignment(&override, 0, "`%s` has no `=`", assignment);
                report_hint(loader->diagnostics, "--set variables.name=value");
                return;
        }
        if (strncmp(assignment, "secrets.", strlen("secrets.")) == 0) {
                refuse_secret_value(loader, &override.place);
                return;
        }
        // The value keeps its columns: it is parsed behind as many blanks as the key has bytes.
        char *text = arena_strdup(loader->arena, assignment);
        memset(text, ' ', key_size + 1);
        struct value *item = NULL;
        if (equals[1] == '\0')
                item = value_scalar(loader->arena, "");
        else
                item = yaml_parse(name, text, strlen(text), loader->arena, loader->diagnostics);
        if (!item)
                return;
        if (!item->place.file)
                item->place = (struct place){ name, 1, (int)key_size + 2 };
        put_at_path(&override, tree, item);
}
