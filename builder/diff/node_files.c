// SPDX-License-Identifier: MIT
#include "diff/node_files.h"

#include <string.h>

#include "shared/node_config.h"
#include "shared/template.h"
#include "shared/value.h"

// ---- the scope of templates, as shared/node_config.h describes it ----

static struct value *scope_value_of(struct arena *arena, const json_t *json);

static struct value *map_of_json(struct arena *arena, const json_t *json) {
        struct value *map = value_map(arena);
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)json, key, member)
            value_set(arena, map, arena_strdup(arena, key), scope_value_of(arena, member));
        return map;
}

static struct value *list_of_json(struct arena *arena, const json_t *json) {
        struct value *list = value_list(arena);
        size_t i;
        json_t *item;
        json_array_foreach(json, i, item) value_append(arena, list, scope_value_of(arena, item));
        return list;
}

static struct value *scope_value_of(struct arena *arena, const json_t *json) {
        switch (json_typeof(json)) {
        case JSON_OBJECT:
                return map_of_json(arena, json);
        case JSON_ARRAY:
                return list_of_json(arena, json);
        case JSON_STRING:
                return value_scalar(arena, arena_strdup(arena, json_string_value(json)));
        case JSON_INTEGER:
                return value_scalar(arena, arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json)));
        case JSON_REAL:
                return value_scalar(arena, arena_printf(arena, "%g", json_real_value(json)));
        case JSON_TRUE:
        case JSON_FALSE:
                return value_bool(arena, json_is_true(json));
        case JSON_NULL:
                break;
        }
        return arena_alloc(arena, sizeof(struct value));
}

// An id of 0 is none.
static void set_id(struct arena *arena, struct value *node, const json_t *entry) {
        if (member_number(entry, "id") == 0)
                value_set(arena, node, "id", arena_alloc(arena, sizeof(struct value)));
}

static void set_machine(struct arena *arena, struct value *node) {
        static const char *const measured[] = { "memory_mb", "cpus", "task_memory_mb", "task_cpus" };
        struct value *machine = value_map(arena);
        for (size_t i = 0; i < lengthof(measured); i++)
                value_set(arena, machine, measured[i],
                          value_scalar(arena, arena_printf(arena, "<node.machine.%s>", measured[i])));
        value_set(arena, node, "machine", machine);
}

static void set_name_servers(struct arena *arena, struct value *node, const struct config_layer *layer,
                             const json_t *entry) {
        struct value *servers = value_list(arena);
        size_t i;
        json_t *network;
        json_array_foreach(json_object_get(layer->node_json, "networks"), i,
                           network) if (strcmp(member_text(network, "name"), member_text(entry, "network")) == 0 &&
                                        json_object_get(network, "dns")) servers =
            scope_value_of(arena, json_object_get(network, "dns"));
        value_set(arena, node, "dns", servers);
}

static struct value *scope_of_entry(struct arena *arena, const struct config_layer *layer, const json_t *entry) {
        struct value *node = scope_value_of(arena, entry), *scope = value_map(arena);
        value_set(arena, node, "hostname", value_scalar(arena, member_text(entry, "name")));
        if (!value_get(node, "interface"))
                value_set(arena, node, "interface", value_scalar(arena, "<node.interface>"));
        set_id(arena, node, entry);
        set_machine(arena, node);
        set_name_servers(arena, node, layer, entry);
        value_set(arena, scope, "node", node);
        return scope;
}

static void set_secrets(struct arena *arena, struct value *scope, const struct template *template) {
        struct value *secrets = value_map(arena);
        struct template_secret secret;
        size_t at = 0;
        while (template_next_secret(template, &at, &secret)) {
                const char *name = arena_printf(arena, "%.*s", (int)secret.name_size, secret.name);
                value_set(arena, secrets, name, value_scalar(arena, arena_printf(arena, "<secrets.%s>", name)));
        }
        value_set(arena, scope, TEMPLATE_SECRETS, secrets);
}

static bool render_for_entry(const struct config_layer *layer, const struct config_file *source, const json_t *entry,
                             struct arena *arena, struct buf *ret, struct err *err) {
        auto_template *template = NULL;
        if (!template_open(source->path, source->content.data, source->content.size, &template, err))
                return false;
        struct value *scope = scope_of_entry(arena, layer, entry);
        set_secrets(arena, scope, template);
        return template_apply(template, scope, NULL, ret, NULL, err);
}

void node_render(const struct config_layer *layer, const json_t *template, const json_t *entry, struct buf *ret) {
        const struct config_file *source = config_layer_find(layer, member_text(template, "source"));
        struct arena arena = { 0 };
        auto_err refused = { 0 };
        if (!source || !json_is_object(entry))
                return;
        if (!render_for_entry(layer, source, entry, &arena, ret, &refused))
                buf_clear(ret);
        arena_release(&arena);
}
