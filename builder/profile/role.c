// SPDX-License-Identifier: MIT
// Reading role files and joining a role with what it inherits.
#include <fcntl.h>
#include <string.h>

#include "base/mistake.h"
#include "profile/checks/checks.h"
#include "profile/internal.h"
#include "profile/reader/names.h"
#include "profile/reader/paths.h"

// ---- reading ----

static void report_no_role(struct loader *loader, const struct role_library *library, const char *name,
                           const char *path, const struct place *from) {
        struct strings known = profile_folder_names(loader, &library->folders->roles, ".yaml");
        report(loader->diagnostics, ERR_REFERENCE, from, "unknown role `%s`: there is no %s", name, path);
        report_known(loader->diagnostics, name, &known);
}

// Sources of files are relative to the role file that names them.
static void resolve_sources(struct loader *loader, struct role_file *role) {
        const struct value *rows = value_get(role->tree, "files");
        for (size_t i = 0; i < role->file_count; i++) {
                struct file *file = &role->files[i];
                if (!file->source)
                        continue;
                const char *shown = path_beside(loader->arena, role->path, file->source);
                const char *real = NULL;
                enum found found = loader_find_file(loader, shown, schema_place(rows->items[i], "source"), &real);
                if (found == FOUND) {
                        file->source = real;
                        file->shown = shown;
                        loader_add_input(loader, real);
                        check_script_lines(loader, AT_FDCWD, real, shown);
                }
                if (found != FOUND_NOTHING)
                        continue;
                const char *folder = path_beside(loader->arena, shown, ".");
                struct strings known = loader_names(loader, folder, "");
                const char *slash = strrchr(file->source, '/');
                report(loader->diagnostics, ERR_REFERENCE, schema_place(rows->items[i], "source"), "no such file: %s",
                       shown);
                const char *wanted = file->source;
                if (slash)
                        wanted = slash + 1;
                report_known(loader->diagnostics, wanted, &known);
        }
}

// A list of no services is not the same as none that is written.
static void note_services(const struct role_file *role) {
        const struct value *rows = value_get(role->tree, "files");
        for (size_t i = 0; i < role->file_count; i++)
                role->files[i].has_services = value_get(rows->items[i], "services") != NULL;
}

static struct role_file *read_role(struct loader *loader, const struct role_library *library, const char *name,
                                   const char *path, const struct place *from) {
        struct role_file *role = arena_alloc(loader->arena, sizeof *role);
        *role = (struct role_file){ .name = arena_strdup(loader->arena, name),
                                    .path = path,
                                    .description = "",
                                    .ensemble = -1,
                                    .strangers = -1 };
        role->tree = loader_read(loader, path, from);
        role->usable = role->tree && role->tree->type == VALUE_MAP;
        if (role->tree)
                schema_read(&loader->reader, &role_schema, role->tree, role);
        if (role->usable) {
                resolve_sources(loader, role);
                note_services(role);
                check_role_file(loader, role);
                check_firewall(loader, role, &library->folders->roles);
        }
        return role;
}

static struct role_file *find_role_file(const struct role_library *library, const char *name) {
        for (size_t i = 0; i < library->count; i++)
                if (strcmp(library->files[i]->name, name) == 0)
                        return library->files[i];
        return NULL;
}

struct role_file *role_file_get(struct loader *loader, struct role_library *library, const char *name,
                                const struct place *from) {
        struct role_file *role = find_role_file(library, name);
        if (!role) {
                const char *base = arena_printf(loader->arena, "%s.yaml", name);
                const char *own = arena_printf(loader->arena, "%s/%s", library->folders->roles.own, base);
                const char *path = profile_folder_path(loader, &library->folders->roles, base);
                const char *real = NULL;
                enum found found = loader_find_file(loader, path, from, &real);
                if (found == FOUND_NOTHING)
                        report_no_role(loader, library, name, path, from);
                if (found != FOUND)
                        return NULL;
                role = read_role(loader, library, name, path, from);
                role->is_example = strcmp(path, own) != 0;
                *array_append(&library->files, &library->count) = role;
        }
        if (!role->usable)
                return NULL;
        return role;
}

// ---- inheritance ----

struct lineage {
        struct role_file **files; // heap array; ancestors first, each once
        size_t count;
};

// `value` is a list of names or one name.
static const struct place *parent_place(const struct value *value, size_t index) {
        if (value->type != VALUE_LIST || index >= value->count)
                return &value->place;
        return &value->items[index]->place;
}

static void collect_lineage(struct loader *loader, struct role_library *library, struct role_file *role,
                            struct lineage *lineage);

static void collect_parents(struct loader *loader, struct role_library *library, const struct role_file *role,
                            const struct strings *names, const struct value *list, struct lineage *lineage) {
        for (size_t i = 0; i < names->count; i++) {
                const struct place *place = parent_place(list, i);
                struct role_file *parent = role_file_get(loader, library, names->items[i], place);
                if (parent && parent->visiting)
                        report(loader->diagnostics, ERR_REFERENCE, place, "role `%s` inherits itself through `%s`",
                               parent->name, role->name);
                else if (parent)
                        collect_lineage(loader, library, parent, lineage);
        }
}

static void collect_lineage(struct loader *loader, struct role_library *library, struct role_file *role,
                            struct lineage *lineage) {
        for (size_t i = 0; i < lineage->count; i++)
                if (lineage->files[i] == role)
                        return;
        role->visiting = true;
        collect_parents(loader, library, role, &role->inherits, value_get(role->tree, "inherits"), lineage);
        if (role == library->youngest && library->fragments)
                collect_parents(loader, library, role, library->fragments, library->fragment_list, lineage);
        role->visiting = false;
        *array_append(&lineage->files, &lineage->count) = role;
}

// ---- names of the release ----

// The release's names for one name of the role: none, one or several.
static struct strings renamed(struct arena *arena, const struct value *names, const char *name) {
        struct strings result = { 0 };
        const struct value *other = NULL;
        bool known = false;
        for (size_t i = 0; i < names->count && !known; i++) {
                known = strcmp(names->keys[i], name) == 0;
                other = names->items[i];
        }
        if (!known)
                strings_add_once(arena, &result, name);
        else if (other->type == VALUE_SCALAR)
                strings_add_once(arena, &result, other->text);
        for (size_t i = 0; known && other->type == VALUE_LIST && i < other->count; i++)
                strings_add_once(arena, &result, other->items[i]->text);
        return result;
}

// A map may name units with or without `.service`, and so may a role.
static struct strings renamed_units(struct arena *arena, const struct value *names, const char *name) {
        const char *unit = unit_name(arena, name);
        size_t stem = strlen(unit) - strlen(".service");
        const char *bare = unit;
        if (strcmp(unit + stem, ".service") == 0)
                bare = arena_strndup(arena, unit, stem);
        const char *const spellings[] = { name, bare, unit };
        struct strings result = { 0 }, units = { 0 };
        for (size_t i = 0; i < lengthof(spellings); i++) {
                result = renamed(arena, names, spellings[i]);
                bool unchanged = result.count == 1 && strcmp(result.items[0], spellings[i]) == 0;
                if (!unchanged)
                        break;
        }
        for (size_t i = 0; i < result.count; i++)
                strings_add_once(arena, &units, unit_name(arena, result.items[i]));
        return units;
}

// ---- joining ----

struct join {
        struct loader *loader;
        const struct release *release;
        const struct profile_folders *folders;
        struct role *role;
        struct value *sysctl;
};

// `list` is a list of texts or one text, whose item `index` the release calls `name`.
static void add_origin(struct join *join, const struct value *list, size_t index, const char *name) {
        struct role *role = join->role;
        if (!list)
                return;
        if (list->type == VALUE_LIST && index < list->count)
                list = list->items[index];
        role->origins = arena_grow(join->loader->arena, role->origins, role->origin_count, sizeof *role->origins);
        role->origins[role->origin_count++] = (struct origin){ name, list->place };
}

const struct place *role_place(const struct role *role, const char *name) {
        for (size_t i = 0; i < role->origin_count; i++)
                if (strcmp(role->origins[i].name, name) == 0)
                        return &role->origins[i].place;
        return NULL;
}

// Of the `services` of the files in a list of rows.
static void add_service_origins(struct join *join, const struct value *rows) {
        for (size_t i = 0; rows && rows->type == VALUE_LIST && i < rows->count; i++) {
                const struct value *list = value_get(rows->items[i], "services");
                for (size_t j = 0; list && list->type == VALUE_LIST && j < list->count; j++) {
                        if (list->items[j]->type != VALUE_SCALAR)
                                continue;
                        struct strings names =
                            renamed_units(join->loader->arena, join->release->service_names, list->items[j]->text);
                        for (size_t k = 0; k < names.count; k++)
                                add_origin(join, list, j, names.items[k]);
                }
        }
}

static void join_packages(struct join *join, const struct role_file *file) {
        for (size_t i = 0; i < file->packages.count; i++) {
                struct strings names =
                    renamed(join->loader->arena, join->release->package_names, file->packages.items[i]);
                for (size_t j = 0; j < names.count; j++) {
                        strings_add_once(join->loader->arena, &join->role->packages, names.items[j]);
                        add_origin(join, value_get(file->tree, "packages"), i, names.items[j]);
                }
        }
}

// What a later role says of a unit holds, whatever an earlier one said.
static void join_units(struct join *join, const struct value *list, const struct strings *units, struct strings *into,
                       struct strings *out, struct strings *out_too) {
        for (size_t i = 0; i < units->count; i++) {
                struct strings names =
                    renamed_units(join->loader->arena, join->release->service_names, units->items[i]);
                for (size_t j = 0; j < names.count; j++) {
                        strings_remove(out, names.items[j]);
                        if (out_too)
                                strings_remove(out_too, names.items[j]);
                        strings_add_once(join->loader->arena, into, names.items[j]);
                        add_origin(join, list, i, names.items[j]);
                }
        }
}

static void join_services(struct join *join, const struct role_file *file) {
        struct role *role = join->role;
        const struct value *services = value_get(file->tree, "services");
        join_units(join, value_get(services, "disable"), &file->services_disable, &role->services_disable,
                   &role->services_enable, &role->services_cluster);
        join_units(join, value_get(services, "enable"), &file->services_enable, &role->services_enable,
                   &role->services_disable, NULL);
        join_units(join, value_get(services, "cluster"), &file->services_cluster, &role->services_cluster,
                   &role->services_disable, &role->services_enable);
}

static void join_overlay(struct join *join, const struct role_file *file, const char *name, const struct place *place) {
        struct role *role = join->role;
        const struct place *from = place;
        if (!from)
                from = &file->place;
        const char *folder = NULL;
        if (place)
                folder = profile_folder_path(join->loader, &join->folders->overlays, name);
        else
                folder = profile_folder_path_of(join->loader, &join->folders->overlays, name, file);
        if (overlay_add(join->loader, folder, from, &role->files, &role->file_count) || !place)
                return;
        struct strings known = profile_folder_names(join->loader, &join->folders->overlays, "");
        report(join->loader->diagnostics, ERR_REFERENCE, place, "role `%s`: no overlay folder %s", file->name, folder);
        report_known(join->loader->diagnostics, name, &known);
}

static void join_files(struct join *join, const struct role_file *file) {
        struct role *role = join->role;
        size_t before = role->file_count;
        for (size_t i = 0; i < file->overlays.count; i++)
                join_overlay(join, file, file->overlays.items[i], schema_place(file->tree, "overlays"));
        join_overlay(join, file, file->name, NULL);
        for (size_t i = before; i < role->file_count; i++)
                if (!role->files[i].is_directory)
                        strings_remove(&role->remove, role->files[i].path);
        for (size_t i = 0; i < file->file_count; i++) {
                if (!file->files[i].path[0])
                        continue; // that was reported
                strings_remove(&role->remove, file->files[i].path);
                file_put(join->loader->arena, &role->files, &role->file_count, &file->files[i]);
        }
}

static void join_removals(struct join *join, const struct role_file *file) {
        struct role *role = join->role;
        for (size_t i = 0; i < file->remove.count; i++) {
                size_t kept = 0;
                for (size_t j = 0; j < role->file_count; j++)
                        if (strcmp(role->files[j].path, file->remove.items[i]) != 0)
                                role->files[kept++] = role->files[j];
                role->file_count = kept;
                strings_add_once(join->loader->arena, &role->remove, file->remove.items[i]);
        }
}

static const char *row_name(const char *row, size_t key) { return *(const char *const *)(row + key); }

// Lists of structs with a name each (their first text, at `key`): a later one replaces an earlier one.
static void *join_rows(struct arena *arena, const void *rows, size_t *count, const void *added, size_t added_count,
                       size_t size, size_t key) {
        char *joined = arena_alloc(arena, (*count + added_count + 1) * size);
        if (*count > 0)
                memcpy(joined, rows, *count * size);
        for (size_t i = 0; i < added_count; i++) {
                const char *row = (const char *)added + i * size;
                size_t at = 0;
                while (at < *count && strcmp(row_name(joined + at * size, key), row_name(row, key)) != 0)
                        at++;
                memcpy(joined + at * size, row, size);
                if (at == *count)
                        *count += 1;
        }
        return joined;
}
#define JOIN_ROWS(arena, role, file, rows, count, key)                                                                 \
        (role)->rows = join_rows(arena, (role)->rows, &(role)->count, (file)->rows, (file)->count,                     \
                                 sizeof *(role)->rows, offsetof(__typeof__(*(role)->rows), key))

// Rules have no names to be replaced by: all of them hold.
static void join_firewall(struct arena *arena, struct role *role, const struct role_file *file) {
        for (size_t i = 0; i < file->firewall_count; i++) {
                role->firewall = arena_grow(arena, role->firewall, role->firewall_count, sizeof *role->firewall);
                role->firewall[role->firewall_count++] = file->firewall[i];
        }
}

// What a role does not give stays as its parents have it: NULL or -1.
static void join_text(const char **into, const char *given) {
        if (given)
                *into = given;
}
static void join_number(int *into, int64_t given) {
        if (given >= 0)
                *into = (int)given;
}
static void join_flag(bool *into, int given) {
        if (given >= 0)
                *into = given;
}

static void join_arguments(struct join *join, const struct role_file *file) {
        const struct value *list = value_get(file->tree, "kernel_arguments");
        for (size_t i = 0; i < file->kernel_arguments.count; i++)
                strings_add_once(join->loader->arena, &join->role->kernel_arguments, file->kernel_arguments.items[i]);
        if (file->kernel_arguments.count == 0)
                return;
        join->role->arguments_place = list->place;
        if (list->type == VALUE_LIST && list->count > 0)
                join->role->arguments_place = list->items[list->count - 1]->place;
}

static void join_scalars(struct join *join, const struct role_file *file) {
        struct role *role = join->role;
        join_flag(&role->ensemble, file->ensemble);
        join_flag(&role->strangers, file->strangers);
        if (file->default_target) {
                role->default_target = file->default_target;
                add_origin(join, value_get(file->tree, "default_target"), 0, file->default_target);
        }
        join_text(&role->overlay_size, file->overlay_size);
        join_text(&role->on_failure, file->on_failure);
        join_text(&role->boot_menu, file->boot_menu);
        join_text(&role->need, file->need);
        join_number(&role->reboot_delay_s, file->reboot_delay_s);
        join_number(&role->reserve.memory_mb, file->reserve_memory_mb);
        join_number(&role->reserve.cpus, file->reserve_cpus);
        state_disk_join(file->tree, &file->state_disk, &role->state_disk);
        join_arguments(join, file);
        if (file->variables)
                role->variables = variables_merge(join->loader->arena, role->variables, file->variables);
        for (size_t i = 0; file->sysctl && i < file->sysctl->count; i++)
                value_set(join->loader->arena, join->sysctl, file->sysctl->keys[i], file->sysctl->items[i]);
}

static void join_file(struct join *join, const struct role_file *file) {
        struct arena *arena = join->loader->arena;
        struct role *role = join->role;
        join_packages(join, file);
        join_services(join, file);
        join_removals(join, file);
        join_files(join, file);
        add_service_origins(join, value_get(file->tree, "files"));
        add_service_origins(join, value_get(file->tree, "attributes"));
        join_scalars(join, file);
        JOIN_ROWS(arena, role, file, users, user_count, name);
        JOIN_ROWS(arena, role, file, state, state_count, path);
        JOIN_ROWS(arena, role, file, health, health_count, name);
        JOIN_ROWS(arena, role, file, agreements, agreement_count, name);
        join_firewall(arena, role, file);
        rollout_join(file->tree, &file->rollout, &role->rollout);
}

static struct file *find_file(const struct role *role, const char *path) {
        for (size_t i = 0; i < role->file_count; i++)
                if (strcmp(role->files[i].path, path) == 0)
                        return &role->files[i];
        return NULL;
}

static void report_no_file(struct join *join, const struct role_file *file, const struct attributes *attributes) {
        struct nearest nearest = { .wanted = attributes->path };
        for (size_t i = 0; i < join->role->file_count; i++)
                nearest_offer(&nearest, join->role->files[i].path);
        report(join->loader->diagnostics, ERR_REFERENCE, &attributes->place,
               "no overlay or `files` of role `%s` holds `%s`", file->name, attributes->path);
        report_nearest(join->loader->diagnostics, nearest.best);
}

static void apply_attributes(struct join *join, const struct role_file *file) {
        for (size_t i = 0; i < file->attribute_count; i++) {
                const struct attributes *attributes = &file->attributes[i];
                if (!attributes->path || !attributes->path[0])
                        continue; // that was reported
                struct file *found = find_file(join->role, attributes->path);
                if (!found) {
                        report_no_file(join, file, attributes);
                        continue;
                }
                join_number(&found->mode, attributes->mode);
                join_text(&found->owner, attributes->owner);
                join_text(&found->group, attributes->group);
                const struct value *row = value_get(file->tree, "attributes")->items[i];
                if (!value_get(row, "services"))
                        continue;
                found->has_services = true;
                found->services = attributes->services;
        }
}

// The units of the files, which are the role's own copies, in the release's names.
static void rename_services(struct join *join) {
        struct arena *arena = join->loader->arena;
        for (size_t i = 0; i < join->role->file_count; i++) {
                struct strings written = join->role->files[i].services, units = { 0 };
                for (size_t j = 0; j < written.count; j++) {
                        struct strings names = renamed_units(arena, join->release->service_names, written.items[j]);
                        for (size_t k = 0; k < names.count; k++)
                                strings_add_once(arena, &units, names.items[k]);
                }
                join->role->files[i].services = units;
        }
}

// The youngest role of the lineage that names a template, or has one named as itself.
static const char *find_kickstart(struct join *join, const struct lineage *lineage, const char **ret_shown) {
        for (size_t i = lineage->count; i-- > 0;) {
                const struct role_file *file = lineage->files[i];
                const char *name = file->kickstart;
                if (!name)
                        name = arena_printf(join->loader->arena, "%s.ks.tmpl", file->name);
                const char *path = profile_folder_path_of(join->loader, &join->folders->kickstart, name, file);
                const char *real = NULL;
                const struct place *from = &file->place;
                if (file->kickstart)
                        from = schema_place(file->tree, "kickstart");
                enum found found = loader_find_file(join->loader, path, from, &real);
                if (found == FOUND)
                        loader_add_input(join->loader, real);
                *ret_shown = path;
                if (found != FOUND_NOTHING)
                        return real;
                if (!file->kickstart || !name[0])
                        continue;
                struct strings known = profile_folder_names(join->loader, &join->folders->kickstart, "");
                report(join->loader->diagnostics, ERR_REFERENCE, schema_place(file->tree, "kickstart"),
                       "no such file: %s", path);
                report_known(join->loader->diagnostics, name, &known);
                return NULL;
        }
        return NULL;
}

static void fill_user(struct arena *arena, struct user *user) {
        const char *home = "/", *shell = "/sbin/nologin";
        if (!user->system) {
                home = arena_printf(arena, "/home/%s", user->name);
                shell = "/bin/bash";
        }
        user->home = text_or(user->home, home);
        user->shell = text_or(user->shell, shell);
}

void role_join(struct loader *loader, struct role_library *library, const struct release *release,
               struct role_file *file, struct role *ret) {
        struct lineage lineage = { 0 };
        library->youngest = file;
        collect_lineage(loader, library, file, &lineage);
        struct role role = { .place = file->place,
                             .name = file->name,
                             .description = file->description,
                             .is_abstract = file->is_abstract,
                             .default_target = "multi-user.target",
                             .overlay_size = "50%",
                             .on_failure = "retry",
                             .boot_menu = "open",
                             .reboot_delay_s = 10,
                             .rollout = { .order = ROLLOUT_ORDER, .batch = 1 } };
        struct join join = { loader, release, library->folders, &role, value_map(loader->arena) };
        for (size_t i = 0; i < lineage.count; i++)
                join_file(&join, lineage.files[i]);
        for (size_t i = 0; i + 1 < lineage.count; i++)
                strings_add_once(loader->arena, &role.ancestors, lineage.files[i]->name);
        for (size_t i = 0; i < lineage.count; i++)
                apply_attributes(&join, lineage.files[i]);
        check_lost_modes(loader, &role);
        rename_services(&join);
        role.sysctl = join.sysctl;
        role.kickstart = find_kickstart(&join, &lineage, &role.kickstart_shown);
        for (size_t i = 0; i < role.user_count; i++)
                fill_user(loader->arena, &role.users[i]);
        check_state_paths(loader, &role);
        check_parents(loader, library, lineage.files, lineage.count);
        free(lineage.files);
        *ret = role;
}
