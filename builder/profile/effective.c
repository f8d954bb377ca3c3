// SPDX-License-Identifier: MIT
#include "profile/effective.h"

#include <assert.h>
#include <string.h>

#include "profile/internal.h"
#include "profile/reader/names.h"
#include "profile/reader/schema_effective.h"

// ---- pieces ----

static void add_value(struct arena *arena, struct value *map, const char *key, struct value *value) {
        value_append_pair(arena, map, key, &value->place, value);
}

static void add_shown_text(struct arena *arena, struct value *map, const char *key, const char *text,
                           const struct place *place) {
        if (!text)
                return;
        struct value *value = value_scalar(arena, text);
        value->quoted = false;
        if (place)
                value->place = *place;
        add_value(arena, map, key, value);
}

static void add_texts(struct arena *arena, struct value *map, const char *key, const struct strings *texts,
                      const struct role *role) {
        struct value *list = value_list(arena);
        for (size_t i = 0; i < texts->count; i++) {
                struct value *item = value_scalar(arena, texts->items[i]);
                item->quoted = false;
                const struct place *place = role_place(role, texts->items[i]);
                if (place)
                        item->place = *place;
                value_append(arena, list, item);
        }
        if (texts->count > 0)
                add_value(arena, map, key, list);
}

// ---- roles ----

static struct value *services_effective(struct arena *arena, const struct role *role) {
        struct value *services = value_map(arena);
        add_texts(arena, services, "enable", &role->services_enable, role);
        add_texts(arena, services, "disable", &role->services_disable, role);
        add_texts(arena, services, "cluster", &role->services_cluster, role);
        return services;
}

static struct value *users_effective(struct arena *arena, const struct role *role) {
        struct value *users = value_map(arena);
        for (size_t i = 0; i < role->user_count; i++) {
                const struct user *user = &role->users[i];
                struct value *map = value_map(arena);
                if (user->uid >= 0)
                        add_shown_text(arena, map, "uid", arena_printf(arena, "%lld", (long long)user->uid),
                                       &user->place);
                add_shown_text(arena, map, "home", user->home, &user->place);
                add_shown_text(arena, map, "shell", user->shell, &user->place);
                add_texts(arena, map, "groups", &user->groups, role);
                add_value(arena, users, user->name, map);
        }
        return users;
}

static const char *file_kind(const struct file *file) {
        if (file->is_directory)
                return "directory";
        if (file->link)
                return "link";
        if (file->is_template)
                return "template";
        return "file";
}

static bool is_in_directory(const char *path, const char *directory) {
        size_t size = strlen(directory);
        return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

struct value *role_files_effective(struct arena *arena, const struct role *role, const char *directory) {
        struct value *files = value_map(arena);
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                if (is_in_directory(file->path, directory))
                        add_shown_text(arena, files, file->path, file_kind(file), &file->place);
        }
        return files;
}

static struct value *state_effective(struct arena *arena, const struct role *role) {
        struct value *state = value_list(arena);
        for (size_t i = 0; i < role->state_count; i++) {
                struct value *item = value_scalar(arena, role->state[i].path);
                item->place = role->state[i].place;
                value_append(arena, state, item);
        }
        return state;
}

static void add_checks(struct arena *arena, const struct role *role, struct value *map) {
        struct value *health = value_map(arena), *agreements = value_map(arena);
        for (size_t i = 0; i < role->health_count; i++)
                add_shown_text(
                    arena, health, role->health[i].name,
                    arena_printf(arena, "%s, port %d", health_kind_name(role->health[i].kind), role->health[i].port),
                    &role->health[i].place);
        for (size_t i = 0; i < role->agreement_count; i++)
                add_shown_text(arena, agreements, role->agreements[i].name, role->agreements[i].value,
                               &role->agreements[i].place);
        if (health->count > 0)
                add_value(arena, map, "health", health);
        if (agreements->count > 0)
                add_value(arena, map, "agreements", agreements);
}

static void add_part(struct arena *arena, struct value *map, const char *key, const struct value *part) {
        if (part && part->count > 0)
                value_append_pair(arena, map, key, &part->place, (struct value *)part);
}

static struct value *role_effective(struct arena *arena, const struct role *role) {
        struct value *map = value_map(arena);
        add_shown_text(arena, map, "description", role->description, &role->place);
        add_texts(arena, map, "inherits", &role->ancestors, role);
        add_shown_text(arena, map, "ensemble", role->ensemble ? "true" : "false", NULL);
        add_shown_text(arena, map, "strangers", role->strangers ? "true" : "false", NULL);
        add_texts(arena, map, "packages", &role->packages, role);
        add_part(arena, map, "services", services_effective(arena, role));
        add_shown_text(arena, map, "default_target", role->default_target, NULL);
        add_part(arena, map, "users", users_effective(arena, role));
        add_part(arena, map, "files", role_files_effective(arena, role, ""));
        add_texts(arena, map, "remove", &role->remove, role);
        add_part(arena, map, "state", state_effective(arena, role));
        add_part(arena, map, "sysctl", role->sysctl);
        add_texts(arena, map, "kernel_arguments", &role->kernel_arguments, role);
        add_shown_text(arena, map, "overlay_size", role->overlay_size, NULL);
        add_shown_text(arena, map, "on_failure", role->on_failure, NULL);
        add_shown_text(arena, map, "boot_menu", role->boot_menu, NULL);
        add_checks(arena, role, map);
        add_shown_text(arena, map, "need", role->need, NULL);
        add_shown_text(arena, map, "kickstart", role->kickstart, NULL);
        add_part(arena, map, "variables", role->variables);
        return map;
}

// ---- the whole ----

// Rows of the file and nodes of the cluster have the same order.
static void join_node_variables(struct arena *arena, const struct cluster *cluster, struct value *whole) {
        const struct value *rows = value_get(whole, "nodes");
        for (size_t i = 0; rows && i < rows->count && i < cluster->node_count; i++)
                if (cluster->nodes[i].variables->count > 0)
                        value_set(arena, rows->items[i], "variables", (struct value *)cluster->nodes[i].variables);
}

struct value *cluster_effective(struct arena *arena, const struct cluster *cluster) {
        assert(cluster->tree && cluster->release.tree);
        struct value *whole = schema_effective(arena, &cluster_schema, cluster->tree);
        struct value *roles = value_map(arena);
        join_node_variables(arena, cluster, whole);
        for (size_t i = 0; i < cluster->role_count; i++) {
                struct value *role = role_effective(arena, &cluster->roles[i]);
                role->place = cluster->roles[i].place;
                add_value(arena, roles, cluster->roles[i].name, role);
        }
        value_set(arena, whole, "release", schema_effective(arena, &release_schema, cluster->release.tree));
        value_set(arena, whole, "roles", roles);
        return whole;
}
