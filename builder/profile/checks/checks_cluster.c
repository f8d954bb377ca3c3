// SPDX-License-Identifier: MIT
// Checks of the joined cluster: whether it can work as described.
#include <stdlib.h>
#include <string.h>

#include "base/progress.h"
#include "profile/checks/checks.h"

// ---- ensembles ----

// Nodes of roles that inherit an ensemble vote in it.
static void check_ensemble_ids(struct loader *loader, const struct cluster *cluster, const struct role *role,
                               const struct value *rows) {
        size_t count;
        auto_free size_t *members = cluster_members(cluster, role->name, &count);
        auto_free struct once *ids = xcalloc(count, sizeof *ids);
        for (size_t i = 0; i < count; i++) {
                const struct node *node = &cluster->nodes[members[i]];
                const struct value *row = rows->items[members[i]];
                ids[i] = (struct once){ number_key(loader->arena, node->id), schema_place(row, "id") };
                if (role->ensemble && !value_get(row, "id")) {
                        report(loader->diagnostics, ERR_CLUSTER, &row->place,
                               "node `%s` needs an `id`: role `%s` is an ensemble", node->name, role->name);
                        report_hint(loader->diagnostics, "a number from 1 to 255 that this machine keeps for ever");
                }
        }
        check_once(loader, arena_printf(loader->arena, "id in role `%s`:", role->name), ids, count);
}

static void check_ensemble(struct loader *loader, const struct cluster *cluster, const struct role *role,
                           const struct value *rows) {
        size_t count;
        auto_free size_t *members = cluster_members(cluster, role->name, &count);
        if (!role->ensemble || count == 0)
                return;
        const struct value *row = rows->items[members[count - 1]];
        const struct place *place = schema_place(row, "role");
        if (count % 2 == 0) {
                report(loader->diagnostics, ERR_CLUSTER, place,
                       "role `%s` is an ensemble of %zu nodes: the number must be odd, and at least 3", role->name,
                       count);
                report_hint(loader->diagnostics, "%zu nodes survive the loss of no more nodes than %zu do", count,
                            count - 1);
        } else if (count == 1) {
                warning("%s: role `%s` is an ensemble of one node: nothing works while it is down",
                        place_text(loader->arena, place), role->name);
        }
}

static bool is_role_of_cluster(const struct cluster *cluster, const char *name) {
        bool found = false;
        for (size_t i = 0; i < cluster->role_count; i++)
                found |= strcmp(cluster->roles[i].name, name) == 0;
        return found;
}

static void check_vip_roles(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        const struct value *rows = value_get(file->tree, "vips");
        for (size_t i = 0; i < file->vip_count; i++) {
                const char *role = text_or(file->vips[i].role, "");
                size_t count;
                free(cluster_members(cluster, role, &count));        // only their number counts
                if (is_role_of_cluster(cluster, role) && count == 0) // an unknown one is reported
                        report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[i], "role"),
                               "no node has role `%s`, so nobody holds the VIP", role);
        }
}

static void check_abstract_roles(struct loader *loader, const struct cluster *cluster, const struct value *rows) {
        for (size_t i = 0; i < cluster->node_count; i++) {
                const struct node *node = &cluster->nodes[i];
                bool is_known = node->role < cluster->role_count; // an unknown one is reported
                if (!is_known || !cluster->roles[node->role].is_abstract)
                        continue;
                const char *name = cluster->roles[node->role].name;
                report(loader->diagnostics, ERR_CLUSTER, schema_place(rows->items[i], "role"),
                       "node `%s` has role `%s`, which is only there to be inherited (`abstract: true`)", node->name,
                       name);
        }
}

// ---- joined roles: what no single file shows ----

static void check_uids(struct loader *loader, const struct role *role) {
        auto_free struct once *uids = xcalloc(role->user_count, sizeof *uids);
        for (size_t i = 0; i < role->user_count; i++) {
                const struct user *user = &role->users[i];
                const char *key = "";
                if (user->uid >= 0)
                        key = arena_printf(loader->arena, "%lld", (long long)user->uid);
                uids[i] = (struct once){ key, &user->place };
        }
        check_once(loader, arena_printf(loader->arena, "uid in role `%s`:", role->name), uids, role->user_count);
}

static int compare_file_paths(const void *left, const void *right) {
        const struct file *const *a = left, *const *b = right;
        return strcmp((*a)->path, (*b)->path);
}

// A file cannot lie below another file.
static void check_nesting(struct loader *loader, const struct role *role) {
        auto_free const struct file **sorted = xcalloc(role->file_count, sizeof *sorted);
        for (size_t i = 0; i < role->file_count; i++)
                sorted[i] = &role->files[i];
        if (role->file_count > 0)
                qsort(sorted, role->file_count, sizeof *sorted, compare_file_paths);
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                for (const char *slash = file->path; (slash = strchr(slash + 1, '/'));) {
                        struct file above = { .path = arena_strndup(loader->arena, file->path,
                                                                    (size_t)(slash - file->path)) };
                        const struct file *key = &above, **found = bsearch(&key, sorted, role->file_count,
                                                                           sizeof *sorted, compare_file_paths);
                        if (!found || (*found)->link || (*found)->is_directory)
                                continue;
                        report(loader->diagnostics, ERR_SCHEMA, &file->place, "`%s` is below `%s`, which is a file",
                               file->path, above.path);
                        report_hint(loader->diagnostics, "that one is from %s",
                                    place_text(loader->arena, &(*found)->place));
                }
        }
}

// One DHCP option cannot carry two of name, role and id.
static void check_dhcp_options(struct loader *loader, const struct cluster_file *file) {
        const struct dhcp_option_names *names = &file->dhcp.options;
        const struct value *map = value_get(file->tree, "dhcp_options");
        if (!map || map->type != VALUE_MAP)
                return;
        struct once options[] = { { text_or(names->node, ""), schema_place(map, "node") },
                                  { text_or(names->role, ""), schema_place(map, "role") },
                                  { text_or(names->id, ""), schema_place(map, "id") } };
        check_once(loader, "DHCP option", options, lengthof(options));
}

static bool has_locked_menu(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++)
                if (strcmp(cluster->roles[i].boot_menu, BOOT_MENU_LOCKED) == 0)
                        return true;
        return false;
}

static void check_boot_menu(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        bool is_known = loader->diagnostics->mistake_count == 0; // a role that could not be read may lock its menu
        if (!file->boot_menu_password || !is_known || has_locked_menu(cluster))
                return;
        report(loader->diagnostics, ERR_SCHEMA, schema_place(file->tree, "boot_menu_password"),
               "boot_menu_password has no effect: no role of this cluster says `boot_menu: locked`");
        report_hint(loader->diagnostics, "say it in a role that all inherit, or inherit `hardened`");
}

void check_cluster(struct loader *loader, const struct cluster_file *file, const struct cluster *cluster) {
        check_boot_menu(loader, file, cluster);
        const struct value *rows = value_get(file->tree, "nodes");
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                bool is_whole = !role->ensemble || cluster_ensemble_of(cluster, role) == role;
                if (is_whole) {
                        check_ensemble_ids(loader, cluster, role, rows);
                        check_ensemble(loader, cluster, role, rows);
                }
                check_uids(loader, &cluster->roles[i]);
                check_nesting(loader, &cluster->roles[i]);
                check_command_line(loader, cluster, &cluster->roles[i]);
                check_secret_files(loader, &cluster->roles[i]);
                check_agreements(loader, cluster, &cluster->roles[i], &file->folders.roles);
                check_rollout_places(loader, cluster, &cluster->roles[i]);
        }
        check_abstract_roles(loader, cluster, rows);
        check_vip_roles(loader, file, cluster);
        check_doubts(loader, file, cluster);
        check_dhcp_options(loader, file);
        bool asked = value_get(file->tree, "nodes") || value_get(file->tree, "roles");
        if (cluster->role_count == 0 && (!asked || loader->diagnostics->mistake_count == 0))
                report(loader->diagnostics, ERR_CLUSTER, &file->place,
                       "neither `nodes` nor `roles`: there is nothing to build");
}
