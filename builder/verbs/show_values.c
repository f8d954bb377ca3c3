// SPDX-License-Identifier: MIT
#include "verbs/show_values.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mistake.h"

enum { PLACE_COLUMN = 60 };

// ---- finding ----

// The item of a list of maps that is called so, or that has this number.
static const struct value *values_item(const struct value *list, const char *name, size_t length) {
        auto_free char *wanted = xstrndup(name, length);
        char *end = NULL;
        unsigned long number = strtoul(wanted, &end, 10);
        for (size_t i = 0; i < list->count; i++) {
                const struct value *own = value_get(list->items[i], "name");
                if (own && own->text && strcmp(own->text, wanted) == 0)
                        return list->items[i];
        }
        bool is_number = length > 0 && isdigit((unsigned char)*wanted) && !*end;
        if (is_number && number < list->count)
                return list->items[number];
        return NULL;
}

// The longest key that the path begins with.
static const struct value *values_key(const struct value *map, const char *path, size_t *ret_length) {
        const struct value *best = NULL;
        for (size_t i = 0; i < map->count; i++) {
                size_t length = strlen(map->keys[i]);
                bool fits = strncmp(path, map->keys[i], length) == 0 && (path[length] == '.' || path[length] == '\0');
                if (fits && (!best || length > *ret_length)) {
                        best = map->items[i];
                        *ret_length = length;
                }
        }
        return best;
}

static bool refuse_path(const struct value *value, const char *path, size_t done, struct err *err) {
        auto_free char *wanted = xstrndup(path + done, strcspn(path + done, "."));
        struct nearest nearest = { .wanted = wanted };
        for (size_t i = 0; i < value->count; i++) {
                const struct value *name = value->type == VALUE_LIST ? value_get(value->items[i], "name") : NULL;
                if (value->type == VALUE_MAP)
                        nearest_offer(&nearest, value->keys[i]);
                else if (name && name->text)
                        nearest_offer(&nearest, name->text);
        }
        if (done > 0)
                fail(err, ERR_REFERENCE, 0, "`%.*s` has no `%s`", (int)done - 1, path, wanted);
        else
                fail(err, ERR_REFERENCE, 0, "there is no `%s`", wanted);
        if (nearest.best)
                return hint(err, "did you mean `%.*s%s`?", (int)done, path, nearest.best);
        return false;
}

bool values_find(const struct value *root, const char *path, const struct value **ret, struct err *err) {
        const struct value *value = root;
        for (size_t done = 0; path[done];) {
                size_t length = strcspn(path + done, ".");
                const struct value *next = NULL;
                if (value->type == VALUE_MAP)
                        next = values_key(value, path + done, &length);
                else if (value->type == VALUE_LIST)
                        next = values_item(value, path + done, length);
                if (!next)
                        return refuse_path(value, path, done, err);
                value = next;
                done += length;
                done += path[done] == '.';
        }
        *ret = value;
        return true;
}

// ---- printing ----

static bool is_bare_text(const char *text) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+=-";
        return *text && (*text != '-' || text[1]) && *text != '@' && *text != '%' && text[strspn(text, plain)] == '\0';
}

// Between double quotes. What a terminal would obey, and what JSON itself leaves as it is, becomes \uXXXX; what is no
// UTF-8, such as an overlay's name, "?".
static void append_quoted(struct buf *line, const char *text) {
        auto_buf shown = { 0 };
        mistake_printable(&shown, text, strlen(text));
        bool is_printable = strcmp(buf_text(&shown), text) == 0;
        json_t *string = json_of_text(text);
        auto_free char *quoted = json_dumps(string, JSON_ENCODE_ANY | (is_printable ? 0 : JSON_ENSURE_ASCII));
        json_decref(string);
        buf_append_text(line, text_or(quoted, "\"\""));
}

static void values_append(struct buf *line, const struct value *value) {
        if (value->type == VALUE_NULL) {
                buf_append_text(line, "null");
                return;
        }
        bool was_quoted = value->quoted && value->place.line > 0; // what kiln made is marked as quoted, too
        bool is_bare = !was_quoted && is_bare_text(value->text);
        if (is_bare)
                buf_append_text(line, value->text);
        else
                append_quoted(line, value->text);
}

// The line with where its value is written, in a column of its own.
static void values_print_line(const struct buf *line, const struct place *place) {
        const char *text = buf_text(line);
        auto_buf file = { 0 };
        if (place->file)
                mistake_printable(&file, place->file, strlen(place->file));
        if (!place->file)
                printf("%s\n", text);
        else if (place->line > 0)
                printf("%-*s # %s:%d\n", PLACE_COLUMN, text, buf_text(&file), place->line);
        else
                printf("%-*s # %s\n", PLACE_COLUMN, text, buf_text(&file));
}

static void values_print_value(const struct value *value, unsigned depth, struct buf *head);

static void start_line(struct buf *line, unsigned depth) {
        buf_clear(line);
        for (unsigned i = 0; i < depth; i++)
                buf_append_text(line, "  ");
}

// `head` is what stands on the first line already, such as "  - ".
static void values_print_map(const struct value *map, unsigned depth, struct buf *head) {
        for (size_t i = 0; i < map->count; i++) {
                if (i > 0)
                        start_line(head, depth);
                if (is_bare_text(map->keys[i]))
                        buf_append_text(head, map->keys[i]);
                else
                        append_quoted(head, map->keys[i]);
                buf_append_char(head, ':');
                values_print_value(map->items[i], depth + 1, head);
        }
}

static void values_print_list(const struct value *list, unsigned depth, struct buf *head) {
        for (size_t i = 0; i < list->count; i++) {
                start_line(head, depth);
                buf_append_text(head, "-");
                if (list->items[i]->type == VALUE_MAP && list->items[i]->count > 0) {
                        buf_append_text(head, " ");
                        values_print_map(list->items[i], depth + 1, head);
                } else {
                        values_print_value(list->items[i], depth + 1, head);
                }
        }
}

// Behind "KEY:" or "-".
static void values_print_value(const struct value *value, unsigned depth, struct buf *head) {
        bool is_container = value->type == VALUE_MAP || value->type == VALUE_LIST;
        if (is_container && value->count == 0)
                buf_append_text(head, value->type == VALUE_MAP ? " {}" : " []");
        if (is_container && value->count > 0) {
                printf("%s\n", buf_text(head));
                if (value->type == VALUE_MAP) {
                        start_line(head, depth);
                        values_print_map(value, depth, head);
                } else {
                        values_print_list(value, depth, head);
                }
                return;
        }
        if (!is_container) {
                buf_append_text(head, " ");
                values_append(head, value);
        }
        values_print_line(head, &value->place);
}

void values_print(const struct value *value) {
        auto_buf line = { 0 };
        if (value->type == VALUE_MAP && value->count > 0) {
                values_print_map(value, 0, &line);
        } else if (value->type == VALUE_LIST && value->count > 0) {
                values_print_list(value, 0, &line);
        } else {
                if (value->type == VALUE_SCALAR || value->type == VALUE_NULL)
                        values_append(&line, value);
                values_print_line(&line, &value->place);
        }
}

json_t *json_of_text(const char *text) {
        auto_buf shown = { 0 };
        json_t *string = json_string(text);
        if (string)
                return string;
        mistake_printable(&shown, text, strlen(text));
        return json_string(buf_text(&shown));
}

// NULL: it is null, or its items are printed.
static json_t *json_of_value(const struct value *value) {
        if (value->type == VALUE_SCALAR)
                return json_of_text(value->text);
        if (value->type == VALUE_NULL)
                return NULL;
        return value->type == VALUE_MAP ? json_object() : json_array();
}

static void print_pair_json(const struct value *value, const char *path) {
        json_t *object = json_object(), *own = json_of_value(value);
        (void)json_object_set_new(object, "key", json_of_text(path));
        if (own)
                (void)json_object_set_new(object, "value", own);
        if (value->place.file)
                (void)json_object_set_new(object, "file", json_of_text(value->place.file));
        if (value->place.line > 0)
                (void)json_object_set_new(object, "line", json_integer(value->place.line));
        auto_free char *line = json_dumps(object, JSON_COMPACT);
        puts(line);
        json_decref(object);
}

void values_print_json(const struct value *value, const char *path) {
        const char *dot = *path ? "." : "";
        for (size_t i = 0; value->type == VALUE_MAP && i < value->count; i++) {
                auto_free char *below = xasprintf("%s%s%s", path, dot, value->keys[i]);
                values_print_json(value->items[i], below);
        }
        for (size_t i = 0; value->type == VALUE_LIST && i < value->count; i++) {
                auto_free char *below = xasprintf("%s%s%zu", path, dot, i);
                values_print_json(value->items[i], below);
        }
        bool is_container = value->type == VALUE_MAP || value->type == VALUE_LIST;
        if (!is_container || value->count == 0)
                print_pair_json(value, path);
}
