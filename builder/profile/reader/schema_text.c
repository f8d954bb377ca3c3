// SPDX-License-Identifier: MIT
// What schema tables say about themselves: JSON Schema for editors, plain text for profiles(5).
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "profile/reader/schema.h"

static json_t *schema_object(const struct schema *schema);

static json_t *json_type_of(const struct schema_type *type) {
        if (strchr(type->json, '|'))
                return json_pack("[s, s]", "string", "integer");
        return json_string(type->json);
}

// Texts may be written as plain numbers and booleans in YAML ("name: 101"), which JSON Schema tells apart from strings.
static json_t *text_node(const struct schema_field *row) {
        json_t *node = json_object();
        const char *pattern = text_or(row->pattern, row->type->json_pattern);
        if (row->choices) {
                json_t *choices = json_array();
                for (size_t i = 0; row->choices[i]; i++)
                        json_array_append_new(choices, json_string(row->choices[i]));
                json_object_set_new(node, "enum", choices);
        } else if (pattern) {
                json_t *type = json_string("string");
                if (row->type == &type_number_texts) {
                        json_decref(type);
                        type = json_pack("[s, s]", "string", "integer");
                }
                json_object_set_new(node, "type", type);
                json_object_set_new(node, "pattern", json_string(pattern));
        } else {
                json_object_set_new(node, "type", json_pack("[s, s, s]", "string", "number", "boolean"));
        }
        return node;
}

static json_t *array_node(const struct schema_field *row) {
        json_t *node = json_object();
        json_object_set_new(node, "type", json_string("array"));
        if (row->table)
                json_object_set_new(node, "items", schema_object(row->table));
        else
                json_object_set_new(node, "items", text_node(row));
        if (!row->or_one)
                return node;
        json_t *either = json_pack("{s:[o,o]}", "anyOf", text_node(row), node);
        return either;
}

static json_t *map_node(const struct schema_field *row) {
        json_t *node = NULL;
        if (row->table)
                node = schema_object(row->table);
        else
                node = json_pack("{s:s}", "type", "object");
        json_t *item = NULL;
        if (row->type->read == type_scalars.read)
                item = json_pack("{s:[s,s]}", "type", "string", "number");
        else if (row->type->read == type_renames.read)
                item = json_pack("{s:[s,s,s]}", "type", "string", "array", "null");
        if (item)
                json_object_set_new(node, "additionalProperties", item);
        if (row->pattern)
                json_object_set_new(node, "propertyNames", json_pack("{s:s}", "pattern", row->pattern));
        return node;
}

static json_t *fallback_value(const struct schema_field *row) {
        if (strcmp(row->type->json, "integer") == 0)
                return json_integer(strtol(row->fallback, NULL, 10));
        if (strcmp(row->type->json, "boolean") == 0)
                return json_boolean(strcmp(row->fallback, "true") == 0);
        return json_string(row->fallback);
}

static json_t *field_node(const struct schema_field *row) {
        json_t *node;
        if (strcmp(row->type->json, "array") == 0)
                node = array_node(row);
        else if (strcmp(row->type->json, "object") == 0)
                node = map_node(row);
        else if (strcmp(row->type->json, "string") == 0)
                node = text_node(row);
        else
                node = json_pack("{s:o}", "type", json_type_of(row->type));
        if (row->min || row->max) {
                json_object_set_new(node, "minimum", json_integer(row->min));
                json_object_set_new(node, "maximum", json_integer(row->max));
        }
        json_object_set_new(node, "description", json_string(row->help));
        if (row->fallback)
                json_object_set_new(node, "default", fallback_value(row));
        return node;
}

static json_t *schema_object(const struct schema *schema) {
        json_t *properties = json_object(), *required = json_array();
        for (size_t i = 0; i < schema->field_count; i++) {
                const struct schema_field *row = &schema->fields[i];
                json_object_set_new(properties, row->key, field_node(row));
                if (row->required)
                        json_array_append_new(required, json_string(row->key));
        }
        json_t *node = json_pack("{s:s, s:s, s:b, s:o}", "type", "object", "description", schema->help,
                                 "additionalProperties", 0, "properties", properties);
        if (json_array_size(required) > 0)
                json_object_set(node, "required", required);
        json_decref(required);
        return node;
}

char *schema_to_json(const struct schema *schema, const char *kind, const char *title) {
        auto_free char *id = xasprintf("urn:kiln:schema:%s:%d", kind, SCHEMA_VERSION);
        json_t *root = json_pack("{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "$id",
                                 id, "title", title);
        json_t *body = schema_object(schema);
        json_object_update(root, body);
        json_decref(body);
        char *text = json_dumps(root, JSON_INDENT(2));
        json_decref(root);
        return text;
}

static void append_details(struct buf *buf, const struct schema_field *row) {
        if (row->min || row->max)
                buf_printf(buf, ", %ld to %ld", row->min, row->max);
        const char *separator = ": ";
        for (size_t i = 0; row->choices && row->choices[i]; i++) {
                buf_printf(buf, "%s%s", separator, row->choices[i]);
                separator = ", ";
        }
        if (row->pattern_means)
                buf_printf(buf, ", %s", row->pattern_means);
        if (row->or_one)
                buf_append_text(buf, ", or a single one");
        if (row->required)
                buf_append_text(buf, "; required");
        if (row->fallback && row->fallback[0])
                buf_printf(buf, "; default %s", row->fallback);
}

static void append_reference(struct buf *buf, const struct schema *schema, const char *prefix) {
        for (size_t i = 0; i < schema->field_count; i++) {
                const struct schema_field *row = &schema->fields[i];
                const char *brackets = "";
                if (row->type->read == type_tables.read)
                        brackets = "[]";
                auto_free char *name = xasprintf("%s%s%s", prefix, row->key, brackets);
                buf_printf(buf, "%s\n    %s (%s", name, row->help, row->type->what);
                append_details(buf, row);
                buf_append_text(buf, ")\n");
                if (!row->table)
                        continue;
                auto_free char *inner = xasprintf("%s.", name);
                append_reference(buf, row->table, inner);
        }
}

char *schema_to_reference(const struct schema *schema) {
        struct buf buf = { 0 };
        buf_printf(&buf, "%s\n\n", schema->help);
        append_reference(&buf, schema, "");
        return buf_take(&buf);
}
