// SPDX-License-Identifier: MIT
// Checks of a role's `firewall`.
#include <stdlib.h>
#include <string.h>

#include "profile/checks/checks.h"

static bool needs_port(const char *protocol) {
        return strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0 || strcmp(protocol, "sctp") == 0;
}

// `list` is a list or the single item itself.
static const struct place *item_place(const struct value *list, size_t index) {
        if (list->type == VALUE_LIST && index < list->count)
                return &list->items[index]->place;
        return &list->place;
}

static const char *item_text(const struct value *list, size_t index) {
        if (list->type == VALUE_LIST)
                list = list->items[index];
        if (list->type != VALUE_SCALAR)
                return ""; // that was reported
        return list->text;
}

static size_t item_count(const struct value *list) {
        if (!list)
                return 0;
        if (list->type == VALUE_LIST)
                return list->count;
        return 1;
}

static void check_ports(struct loader *loader, const struct value *ports) {
        for (size_t i = 0; i < item_count(ports); i++) {
                const char *text = item_text(ports, i);
                if (!text[0])
                        continue;
                const char *dash = strchr(text, '-');
                long first = strtol(text, NULL, 10), last = first;
                if (dash)
                        last = strtol(dash + 1, NULL, 10);
                if (first < 1 || first > 65535 || last < 1 || last > 65535)
                        report(loader->diagnostics, ERR_SCHEMA, item_place(ports, i),
                               "`port` must be 1 to 65535, not `%s`", text);
                else if (last < first)
                        report(loader->diagnostics, ERR_SCHEMA, item_place(ports, i),
                               "the range `%s` ends before it begins", text);
        }
}

bool has_role_file(struct loader *loader, const struct profile_folder *roles, const char *name,
                   const struct place *from) {
        const char *real = NULL;
        const char *path = profile_folder_path(loader, roles, arena_printf(loader->arena, "%s.yaml", name));
        return loader_find_file(loader, path, from, &real) != FOUND_NOTHING;
}

static void check_sources(struct loader *loader, const struct value *from, const struct profile_folder *roles) {
        for (size_t i = 0; i < item_count(from); i++) {
                const char *name = item_text(from, i);
                bool is_word =
                    strcmp(name, FROM_ANY) == 0 || strcmp(name, FROM_CLUSTER) == 0 || strcmp(name, FROM_ADMIN) == 0;
                bool is_subnet = strchr(name, '/') != NULL;
                if (!name[0] || is_word || is_subnet || has_role_file(loader, roles, name, item_place(from, i)))
                        continue;
                struct strings known = profile_folder_names(loader, roles, ".yaml");
                strings_add_once(loader->arena, &known, FROM_ANY);
                strings_add_once(loader->arena, &known, FROM_CLUSTER);
                strings_add_once(loader->arena, &known, FROM_ADMIN);
                report(loader->diagnostics, ERR_REFERENCE, item_place(from, i), "`from`: no such role: `%s`", name);
                report_known(loader->diagnostics, name, &known);
        }
}

void check_firewall(struct loader *loader, const struct role_file *file, const struct profile_folder *roles) {
        const struct value *rows = value_get(file->tree, "firewall");
        for (size_t i = 0; i < file->firewall_count; i++) {
                const struct value *row = rows->items[i], *ports = schema_given(row, "port");
                const char *protocol = text_or(file->firewall[i].protocol, "tcp");
                if (row->type != VALUE_MAP || !protocol[0])
                        continue; // that was reported
                if (needs_port(protocol) && item_count(ports) == 0)
                        report(loader->diagnostics, ERR_SCHEMA, &row->place, "a rule for %s needs a `port`", protocol);
                else if (!needs_port(protocol) && ports)
                        report(loader->diagnostics, ERR_SCHEMA, &ports->place, "%s has no ports", protocol);
                else
                        check_ports(loader, ports);
                check_sources(loader, schema_given(row, "from"), roles);
        }
}
