// SPDX-License-Identifier: MIT
// Checks of a role file.
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"

// One text of each map of a list must be unique.
static void check_rows(struct loader *loader, const struct role_file *file, const char *list, const char *key,
                       const char *what) {
        const struct value *rows = value_get(file->tree, list);
        if (!rows || rows->type != VALUE_LIST)
                return;
        auto_free struct once *entries = xcalloc(rows->count, sizeof *entries);
        for (size_t i = 0; i < rows->count; i++) {
                const struct value *value = value_get(rows->items[i], key);
                entries[i] = (struct once){ "", &rows->items[i]->place };
                if (value && value->type == VALUE_SCALAR)
                        entries[i] = (struct once){ value->text, &value->place };
        }
        check_once(loader, what, entries, rows->count);
}

static const struct place *place_of_text(const struct value *list, const char *text, const struct place *otherwise) {
        for (size_t i = 0; list && list->type == VALUE_LIST && i < list->count; i++)
                if (list->items[i]->type == VALUE_SCALAR && strcmp(list->items[i]->text, text) == 0)
                        return &list->items[i]->place;
        return otherwise;
}

static void check_both(struct loader *loader, const struct role_file *file, const char *list_name,
                       const struct strings *list) {
        const struct value *services = value_get(file->tree, "services");
        for (size_t i = 0; i < list->count; i++) {
                const char *unit = unit_name(loader->arena, list->items[i]);
                for (size_t j = 0; j < file->services_disable.count; j++) {
                        const char *other = file->services_disable.items[j];
                        if (strcmp(unit, unit_name(loader->arena, other)) != 0)
                                continue;
                        const struct place *place = place_of_text(value_get(services, "disable"), other, &file->place);
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is in services.disable and in services.%s",
                               unit, list_name);
                        report_hint(loader->diagnostics, "the other one is at %s",
                                    place_text(loader->arena, place_of_text(value_get(services, list_name),
                                                                            list->items[i], &file->place)));
                }
        }
}

static void check_file_row(struct loader *loader, const struct value *row, const struct file *file) {
        static const char *const ways[] = { "content", "source", "link", "directory" };
        const struct value *seen[lengthof(ways)];
        size_t count = 0;
        for (size_t i = 0; i < lengthof(ways); i++) {
                const struct value *value = value_get(row, ways[i]);
                bool is_no_directory = value && strcmp(ways[i], "directory") == 0 && !file->is_directory;
                if (value && value->type != VALUE_NULL && !is_no_directory)
                        seen[count++] = value;
        }
        const char *name = "a file";
        if (file->path[0])
                name = arena_printf(loader->arena, "`%s`", file->path);
        if (count == 0)
                report(loader->diagnostics, ERR_SCHEMA, &row->place,
                       "%s needs one of `content`, `source`, `link` and `directory`", name);
        else if (count > 1)
                report(loader->diagnostics, ERR_SCHEMA, &seen[1]->place,
                       "%s has more than one of `content`, `source`, `link` and `directory`", name);
        else if (file->link && !file->link[0])
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "link"), "`link` is empty");
}

static void check_file_rows(struct loader *loader, const struct role_file *file) {
        const struct value *rows = value_get(file->tree, "files");
        for (size_t i = 0; i < file->file_count; i++) {
                if (rows->items[i]->type == VALUE_MAP)
                        check_file_row(loader, rows->items[i], &file->files[i]);
                const char *path = file->files[i].path;
                if (!path[0] || !strings_have(&file->remove, path))
                        continue;
                const struct value *removed = value_get(file->tree, "remove");
                report(loader->diagnostics, ERR_SCHEMA, schema_place(rows->items[i], "path"),
                       "`%s` is in `files` and in `remove`", path);
                report_hint(loader->diagnostics, "the other one is at %s",
                            place_text(loader->arena, place_of_text(removed, path, &file->place)));
        }
}

void check_role_file(struct loader *loader, const struct role_file *file) {
        check_rows(loader, file, "users", "name", "user");
        check_rows(loader, file, "users", "uid", "uid");
        check_rows(loader, file, "files", "path", "path");
        check_rows(loader, file, "attributes", "path", "path");
        check_rows(loader, file, "state", "path", "state path");
        check_rows(loader, file, "health", "name", "health check");
        check_rows(loader, file, "agreements", "name", "agreement");
        check_both(loader, file, "enable", &file->services_enable);
        check_both(loader, file, "cluster", &file->services_cluster);
        check_file_rows(loader, file);
        check_health(loader, file);
        check_rollout(loader, file);
        check_arguments(loader, value_get(file->tree, "kernel_arguments"));
        check_state_disk(loader, file->tree, &file->state_disk);
        check_secret_places(loader, file->tree, true);
}
