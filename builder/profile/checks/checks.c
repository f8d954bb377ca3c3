// SPDX-License-Identifier: MIT
// Checks of a role file and of names: what tables cannot say.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mistake.h"
#include "profile/internal.h"

static int compare_once(const void *left, const void *right) {
        const struct once *a = left, *b = right;
        int order = strcmp(a->key, b->key);
        if (order)
                return order;
        if (a->place->line != b->place->line)
                return a->place->line - b->place->line;
        return a->place->column - b->place->column;
}

void check_once(struct loader *loader, const char *what, struct once *entries, size_t count) {
        if (count > 0)
                qsort(entries, count, sizeof *entries, compare_once);
        for (size_t i = 1, first = 0; i < count; i++) {
                if (strcmp(entries[i].key, entries[first].key) != 0) {
                        first = i;
                        continue;
                }
                if (!entries[i].key[0])
                        continue;
                report(loader->diagnostics, ERR_DUPLICATE, entries[i].place, "duplicate %s `%s`", what, entries[i].key);
                report_hint(loader->diagnostics, "it is given first at %s",
                            place_text(loader->arena, entries[first].place));
        }
}

// ---- role files ----

// One text of each map of a list must be unique.
static void check_rows(struct loader *loader, const struct role_file *file, const char *list, const char *key,
                       const char *what) {
        const struct value *rows = value_get(file->tree, list);
        if (!rows || rows->type != VALUE_LIST)
                return;
        auto_free struct once *entries = xcalloc(rows->count, sizeof *entries);
        for (size_t i = 0; i < rows->count; i++) {
                const struct value *value = value_get(rows->items[i], key);
                bool text = value && value->type == VALUE_SCALAR;
                entries[i] = (struct once){ text ? value->text : "", text ? &value->place : &rows->items[i]->place };
        }
        check_once(loader, what, entries, rows->count);
}

static const struct place *item_place(const struct value *list, const char *text, const struct place *otherwise) {
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
                        const struct place *place = item_place(value_get(services, "disable"), other, &file->place);
                        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is in services.disable and in services.%s",
                               unit, list_name);
                        report_hint(loader->diagnostics, "the other one is at %s",
                                    place_text(loader->arena, item_place(value_get(services, list_name), list->items[i],
                                                                         &file->place)));
                }
        }
}

static void check_file(struct loader *loader, const struct value *row, const struct file *file) {
        static const char *const ways[] = { "content", "source", "link" };
        const struct value *seen[lengthof(ways)];
        size_t count = 0;
        for (size_t i = 0; i < lengthof(ways); i++) {
                const struct value *value = value_get(row, ways[i]);
                if (value && value->type != VALUE_NULL)
                        seen[count++] = value;
        }
        const char *name = file->path[0] ? arena_printf(loader->arena, "`%s`", file->path) : "a file";
        if (count == 0)
                report(loader->diagnostics, ERR_SCHEMA, &row->place, "%s needs one of `content`, `source` and `link`",
                       name);
        else if (count > 1)
                report(loader->diagnostics, ERR_SCHEMA, &seen[1]->place,
                       "%s has more than one of `content`, `source` and `link`", name);
        else if (file->link && !file->link[0])
                report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "link"), "`link` is empty");
}

static void check_files(struct loader *loader, const struct role_file *file) {
        const struct value *rows = value_get(file->tree, "files");
        for (size_t i = 0; i < file->file_count; i++) {
                if (rows->items[i]->type == VALUE_MAP)
                        check_file(loader, rows->items[i], &file->files[i]);
                const char *path = file->files[i].path;
                if (!path[0] || !strings_have(&file->remove, path))
                        continue;
                const struct value *removed = value_get(file->tree, "remove");
                report(loader->diagnostics, ERR_SCHEMA, schema_place(rows->items[i], "path"),
                       "`%s` is in `files` and in `remove`", path);
                report_hint(loader->diagnostics, "the other one is at %s",
                            place_text(loader->arena, item_place(removed, path, &file->place)));
        }
}

static void check_health(struct loader *loader, const struct role_file *file) {
        const struct value *rows = value_get(file->tree, "health");
        for (size_t i = 0; i < file->health_count; i++) {
                const struct health_check *health = &file->health[i];
                if (health->path && health->kind && strcmp(health->kind, "tcp") == 0)
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(rows->items[i], "path"),
                               "`path` is for checks of kind `http`");
        }
}

void check_role_file(struct loader *loader, const struct role_file *file) {
        check_rows(loader, file, "users", "name", "user");
        check_rows(loader, file, "users", "uid", "uid");
        check_rows(loader, file, "files", "path", "path");
        check_rows(loader, file, "attributes", "path", "path");
        check_rows(loader, file, "state", "path", "state path");
        check_rows(loader, file, "health", "name", "health check");
        check_both(loader, file, "enable", &file->services_enable);
        check_both(loader, file, "cluster", &file->services_cluster);
        check_files(loader, file);
        check_health(loader, file);
        check_state_disk(loader, file->tree, &file->state_disk);
}

// ---- names of the cluster ----

static bool label_is_valid(const char *label, size_t size) {
        if (size == 0 || size > 63 || label[0] == '-' || label[size - 1] == '-')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!isalnum((unsigned char)label[i]) && label[i] != '-')
                        return false;
        return true;
}

const char *hostname_problem(const char *name) {
        // Linux keeps 64 bytes; RFC 1123 lets a name of digits stand, but then it reads as an address.
        if (strlen(name) > 64)
                return "it is longer than 64 characters";
        if (strcasecmp(name, "localhost") == 0 || strncasecmp(name, "localhost.", 10) == 0)
                return "it is the loopback's name";
        if (name[strspn(name, "0123456789.")] == '\0')
                return "it has no letter and reads as a number or an address";
        for (const char *label = name;; label++) {
                size_t size = strcspn(label, ".");
                if (!label_is_valid(label, size))
                        return "its parts must be 1 to 63 letters, digits and hyphens, with no hyphen at either end";
                label += size;
                if (!*label)
                        return NULL;
        }
}

const char *lower_text(struct arena *arena, const char *text) {
        char *copy = arena_strdup(arena, text ? text : "");
        for (char *byte = copy; *byte; byte++)
                *byte = (char)tolower((unsigned char)*byte);
        return copy;
}

static const char *mac_key(struct arena *arena, const struct node *node) {
        const unsigned char *mac = node->mac;
        return !node->has_mac ? ""
                              : arena_printf(arena, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                                             mac[4], mac[5]);
}

static void check_nodes(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "nodes"), *vips = value_get(file->tree, "vips");
        size_t count = file->node_count, all = count + file->vip_count;
        auto_free struct once *names = xcalloc(all, sizeof *names), *macs = xcalloc(count, sizeof *macs);
        auto_free struct once *addresses = xcalloc(count, sizeof *addresses);
        for (size_t i = 0; i < count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *row = rows->items[i];
                const char *problem = node->name[0] ? hostname_problem(node->name) : NULL;
                if (problem)
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "name"), "`%s` is no host name: %s",
                               node->name, problem);
                names[i] = (struct once){ lower_text(loader->arena, node->name), schema_place(row, "name") };
                macs[i] = (struct once){ mac_key(loader->arena, node), schema_place(row, "mac") };
                addresses[i] = (struct once){ address_text(loader->arena, node->ip), schema_place(row, "ip") };
        }
        for (size_t i = 0; i < file->vip_count; i++) // both kinds of names stand in /etc/hosts
                names[count + i] = (struct once){ lower_text(loader->arena, file->vips[i].name),
                                                  schema_place(vips->items[i], "name") };
        check_once(loader, "name", names, all);
        check_once(loader, "MAC address", macs, count);
        check_once(loader, "IP address", addresses, count);
}

static void check_vips(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "vips");
        auto_free struct once *addresses = xcalloc(file->vip_count, sizeof *addresses);
        auto_free struct once *ids = xcalloc(file->vip_count, sizeof *ids);
        for (size_t i = 0; i < file->vip_count; i++) {
                const struct vip *vip = &file->vips[i];
                addresses[i] =
                    (struct once){ address_text(loader->arena, vip->ip), schema_place(rows->items[i], "ip") };
                ids[i] = (struct once){ vip->vrrp_id ? arena_printf(loader->arena, "%d", vip->vrrp_id) : "",
                                        schema_place(rows->items[i], "vrrp_id") };
        }
        check_once(loader, "VIP address", addresses, file->vip_count);
        check_once(loader, "vrrp_id", ids, file->vip_count);
}

void check_names(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "networks");
        auto_free struct once *networks = xcalloc(file->network_count, sizeof *networks);
        for (size_t i = 0; i < file->network_count; i++)
                networks[i] = (struct once){ file->networks[i].name, schema_place(rows->items[i], "name") };
        check_once(loader, "network", networks, file->network_count);
        check_nodes(loader, file);
        check_vips(loader, file);
}
