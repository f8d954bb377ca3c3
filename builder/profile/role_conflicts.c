// SPDX-License-Identifier: MIT
// Parents of one role that contradict each other. What a role says holds over what its ancestors say; between two roles
// of which neither is the other's ancestor nothing decides, and the order of a list must not do it unseen.
#include <stdlib.h>
#include <string.h>

#include "profile/internal.h"
#include "profile/reader/names.h"

// One thing that a role of the lineage says, once at most.
struct statement {
        const char *what, *value; // of different statements about one thing, `value` differs
        const struct place *place;
        size_t order; // of its role in the lineage
};

struct statements {
        struct loader *loader;
        struct statement *items; // heap array
        size_t count;
};

static void add_statement(struct statements *statements, const char *what, const char *value, const struct place *place,
                          size_t order) {
        *array_append(&statements->items, &statements->count) = (struct statement){ what, value, place, order };
}

// ---- what a role file says ----

static void state_scalars(struct statements *statements, const struct role_file *file, size_t order) {
        static const char *const keys[] = { "ensemble",   "strangers",      "default_target", "overlay_size",
                                            "on_failure", "reboot_delay_s", "boot_menu",      "kickstart" };
        for (size_t i = 0; i < lengthof(keys); i++) {
                const struct value *value = schema_given(file->tree, keys[i]);
                if (value && value->type == VALUE_SCALAR)
                        add_statement(statements, keys[i], value->text, &value->place, order);
        }
}

static void state_map(struct statements *statements, const struct role_file *file, const char *key, size_t order) {
        const struct value *map = schema_given(file->tree, key);
        for (size_t i = 0; map && map->type == VALUE_MAP && i < map->count; i++)
                if (map->items[i]->type == VALUE_SCALAR)
                        add_statement(statements, arena_printf(statements->loader->arena, "%s.%s", key, map->keys[i]),
                                      map->items[i]->text, &map->items[i]->place, order);
}

// Maps in it are joined, so that each of what they hold is a statement.
static void state_tree(struct statements *statements, const struct value *map, const char *name, size_t order) {
        for (size_t i = 0; map && map->type == VALUE_MAP && i < map->count; i++) {
                const char *what = arena_printf(statements->loader->arena, "%s.%s", name, map->keys[i]);
                if (map->items[i]->type == VALUE_SCALAR)
                        add_statement(statements, what, map->items[i]->text, &map->items[i]->place, order);
                else if (map->items[i]->type == VALUE_MAP)
                        state_tree(statements, map->items[i], what, order);
        }
}

static void state_units(struct statements *statements, const struct role_file *file, size_t order) {
        static const char *const keys[] = { "enable", "disable", "cluster" };
        for (size_t i = 0; i < lengthof(keys); i++) {
                const struct value *list = schema_given(schema_given(file->tree, "services"), keys[i]);
                for (size_t j = 0; list && list->type == VALUE_LIST && j < list->count; j++)
                        if (list->items[j]->type == VALUE_SCALAR)
                                add_statement(statements, unit_name(statements->loader->arena, list->items[j]->text),
                                              arena_printf(statements->loader->arena, "services.%s", keys[i]),
                                              &list->items[j]->place, order);
        }
}

// The files of the overlays that a role adds, then its own, which win over them.
static void state_overlays_and_files(struct statements *statements, const struct role_library *library,
                                     const struct role_file *file, size_t order) {
        struct file *files = NULL;
        size_t count = 0;
        const struct profile_folder *overlays = &library->folders->overlays;
        const struct place *from = schema_place(file->tree, "overlays");
        for (size_t i = 0; i < file->overlays.count; i++)
                (void)overlay_add(statements->loader,
                                  profile_folder_path(statements->loader, overlays, file->overlays.items[i]), from,
                                  &files, &count);
        (void)overlay_add(statements->loader, profile_folder_path_of(statements->loader, overlays, file->name, file),
                          &file->place, &files, &count);
        for (size_t i = 0; i < file->file_count; i++)
                file_put(statements->loader->arena, &files, &count, &file->files[i]);
        for (size_t i = 0; i < count; i++) {
                const char *value = text_or(files[i].source, text_or(files[i].content, files[i].link));
                struct place *place = arena_alloc(statements->loader->arena, sizeof *place);
                *place = files[i].place;
                if (files[i].path[0] && value)
                        add_statement(statements, files[i].path, value, place, order);
        }
}

// ---- who decides ----

// For each role of a lineage which earlier ones it descends from: ret[i * count + j]. On the heap.
static bool *find_ancestors(struct role_file *const *files, size_t count) {
        bool *ret = xcalloc(count * count, sizeof *ret);
        for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < i; j++) {
                        if (!strings_have(&files[i]->inherits, files[j]->name))
                                continue;
                        ret[i * count + j] = true;
                        for (size_t k = 0; k < j; k++)
                                ret[i * count + k] = ret[i * count + k] || ret[j * count + k];
                }
        }
        return ret;
}

static int compare_statements(const void *left, const void *right) {
        const struct statement *a = left, *b = right;
        int order = strcmp(a->what, b->what);
        if (order)
                return order;
        return (a->order > b->order) - (a->order < b->order);
}

struct lineage_view {
        struct role_file *const *files;
        size_t count;
        bool *ancestors;
};

// `same` are all statements about one thing, from the oldest role of the lineage to the youngest, whose word holds.
static void report_disagreement(struct loader *loader, const struct lineage_view *lineage, const struct statement *same,
                                size_t count) {
        const struct statement *holds = &same[count - 1];
        const char *name = lineage->files[lineage->count - 1]->name;
        if (holds->order == lineage->count - 1)
                return; // the role itself decides
        for (size_t i = count - 1; i-- > 0;) {
                bool decided = strcmp(same[i].value, holds->value) == 0;
                for (size_t j = i + 1; j < count && !decided; j++)
                        decided = lineage->ancestors[same[j].order * lineage->count + same[i].order];
                if (decided)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, holds->place,
                       "`%s` is one thing here and another in role `%s`, and role `%s` inherits both", holds->what,
                       lineage->files[same[i].order]->name, name);
                report_hint(loader->diagnostics, "the other one is at %s; say in role `%s` which of them holds",
                            place_text(loader->arena, same[i].place), name);
                return;
        }
}

void check_parents(struct loader *loader, const struct role_library *library, struct role_file *const *files,
                   size_t count) {
        struct statements statements = { .loader = loader };
        bool branches = library->fragments && library->fragments->count > 0;
        for (size_t i = 0; i < count; i++)
                branches = branches || files[i]->inherits.count > 1;
        if (!branches)
                return;
        for (size_t i = 0; i < count; i++) {
                state_scalars(&statements, files[i], i);
                state_map(&statements, files[i], "sysctl", i);
                state_map(&statements, files[i], "reserve", i);
                state_tree(&statements, schema_given(files[i]->tree, "default"), "default", i);
                state_units(&statements, files[i], i);
                state_overlays_and_files(&statements, library, files[i], i);
        }
        struct lineage_view lineage = { files, count, find_ancestors(files, count) };
        if (statements.count > 0)
                qsort(statements.items, statements.count, sizeof *statements.items, compare_statements);
        for (size_t i = 0; i < statements.count;) {
                size_t end = i + 1;
                while (end < statements.count && strcmp(statements.items[end].what, statements.items[i].what) == 0)
                        end++;
                report_disagreement(loader, &lineage, &statements.items[i], end - i);
                i = end;
        }
        free(lineage.ancestors);
        free(statements.items);
}
