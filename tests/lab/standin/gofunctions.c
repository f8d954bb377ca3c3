// SPDX-License-Identifier: MIT
#include "gofunctions.h"

#include <ctype.h>
#include <string.h>

#include "common.h"

// ---- values ----

bool go_is_map(const json_t *value) { return json_is_object(value) && json_object_get(value, ""); }

bool go_truth(const json_t *value) {
        switch (value ? json_typeof(value) : JSON_NULL) {
        case JSON_OBJECT:
                return !go_is_map(value) || json_object_size(value) > 1;
        case JSON_ARRAY:
                return json_array_size(value) > 0;
        case JSON_STRING:
                return json_string_length(value) > 0;
        case JSON_INTEGER:
                return json_integer_value(value) != 0;
        case JSON_REAL:
                return json_real_value(value) != 0;
        case JSON_TRUE:
                return true;
        default:
                return false;
        }
}

void go_print(struct buf *out, const json_t *value) {
        size_t i;
        json_t *item;
        if (!value || json_is_null(value))
                buf_append_text(out, "<no value>");
        else if (json_is_string(value))
                buf_append_text(out, json_string_value(value));
        else if (json_is_integer(value))
                buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                buf_printf(out, "%g", json_real_value(value));
        else if (json_is_boolean(value))
                buf_append_text(out, json_is_true(value) ? "true" : "false");
        else if (json_is_array(value)) {
                buf_append_char(out, '[');
                json_array_foreach(value, i, item) {
                        if (i > 0)
                                buf_append_char(out, ' ');
                        go_print(out, item);
                }
                buf_append_char(out, ']');
        } else {
                auto_free char *text = json_dumps(value, JSON_SORT_KEYS);
                buf_append_text(out, text);
        }
}

// ---- functions: arguments in, a new reference out; NULL after complain() ----

typedef json_t *function(struct buf *error, json_t **arguments, size_t count);

static const char *text_of(json_t *value) { return json_string_value(value) ?: ""; }

static json_t *call_and(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        for (size_t i = 0; i + 1 < count; i++)
                if (!go_truth(arguments[i]))
                        return json_incref(arguments[i]);
        return json_incref(arguments[count - 1]);
}

static json_t *call_or(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        for (size_t i = 0; i + 1 < count; i++)
                if (go_truth(arguments[i]))
                        return json_incref(arguments[i]);
        return json_incref(arguments[count - 1]);
}

static json_t *call_not(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return json_boolean(!go_truth(arguments[0]));
}

static json_t *call_len(struct buf *error, json_t **arguments, size_t count) {
        (void)count;
        json_t *value = arguments[0];
        if (json_is_array(value))
                return json_integer((json_int_t)json_array_size(value));
        if (json_is_string(value))
                return json_integer((json_int_t)json_string_length(value));
        if (go_is_map(value))
                return json_integer((json_int_t)json_object_size(value) - 1);
        buf_printf(error, "error calling len: no length");
        return NULL;
}

static json_t *call_index(struct buf *error, json_t **arguments, size_t count) {
        json_t *value = arguments[0];
        for (size_t i = 1; i < count && value; i++) {
                if (json_is_array(value) && json_is_integer(arguments[i]))
                        value = json_array_get(value, (size_t)json_integer_value(arguments[i]));
                else if (go_is_map(value))
                        value = json_object_get(value, text_of(arguments[i])) ?: arguments[i];
                else
                        value = NULL;
        }
        if (!value)
                buf_printf(error, "error calling index: out of range or not indexable");
        return json_incref(value);
}

static int order(json_t *left, json_t *right) {
        if (json_is_number(left) && json_is_number(right)) {
                double difference = json_number_value(left) - json_number_value(right);
                return difference < 0 ? -1 : difference > 0;
        }
        return strcmp(text_of(left), text_of(right));
}

static json_t *call_eq(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        for (size_t i = 1; i < count; i++)
                if (json_equal(arguments[0], arguments[i]))
                        return json_true();
        return json_false();
}

static json_t *call_ne(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return json_boolean(!json_equal(arguments[0], arguments[1]));
}

#define COMPARISON(name, relation)                                                                                     \
        static json_t *call_##name(struct buf *error, json_t **arguments, size_t count) {                              \
                (void)error;                                                                                           \
                (void)count;                                                                                           \
                return json_boolean(order(arguments[0], arguments[1]) relation 0);                                     \
        }
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

static json_t *call_print(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        auto_buf text = { 0 };
        for (size_t i = 0; i < count; i++)
                go_print(&text, arguments[i]);
        return json_string(buf_text(&text));
}

static json_t *call_printf(struct buf *error, json_t **arguments, size_t count) {
        auto_buf text = { 0 };
        size_t next = 1;
        for (const char *c = text_of(arguments[0]); *c; c++) {
                if (*c != '%') {
                        buf_append_char(&text, *c);
                        continue;
                }
                c++;
                if (*c == '%') {
                        buf_append_char(&text, '%');
                        continue;
                }
                if (!*c || !strchr("sdvq", *c) || next >= count) {
                        buf_printf(error, "error calling printf: bad verb or missing argument");
                        return NULL;
                }
                if (*c == 'q')
                        buf_append_char(&text, '"');
                go_print(&text, arguments[next++]);
                if (*c == 'q')
                        buf_append_char(&text, '"');
        }
        return json_string(buf_text(&text));
}

static json_t *call_has_key(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return json_boolean(json_object_get(arguments[0], text_of(arguments[1])) != NULL);
}

static json_t *call_get_service(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        json_t *service = json_object_get(arguments[0], text_of(arguments[1]));
        return service ? json_incref(service) : json_pack("{s:s,s:s}", "Id", "", "Acl", "");
}

static json_t *call_split(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        json_t *parts = json_array();
        const char *text = text_of(arguments[0]), *separator = text_of(arguments[1]), *found;
        while (*separator && (found = strstr(text, separator))) {
                json_array_append_new(parts, json_stringn(text, (size_t)(found - text)));
                text = found + strlen(separator);
        }
        json_array_append_new(parts, json_string(text));
        return parts;
}

static json_t *call_contains(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return json_boolean(strstr(text_of(arguments[0]), text_of(arguments[1])) != NULL);
}

static json_t *call_join(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        auto_buf text = { 0 };
        size_t i;
        json_t *item;
        json_array_foreach(arguments[0], i, item) {
                if (i > 0)
                        buf_append_text(&text, text_of(arguments[1]));
                buf_append_text(&text, text_of(item));
        }
        return json_string(buf_text(&text));
}

static json_t *call_replace(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        const char *text = text_of(arguments[0]), *old = text_of(arguments[1]), *found;
        json_int_t left = json_integer_value(arguments[3]);
        auto_buf out = { 0 };
        while (*old && left-- != 0 && (found = strstr(text, old))) {
                buf_append(&out, text, (size_t)(found - text));
                buf_append_text(&out, text_of(arguments[2]));
                text = found + strlen(old);
        }
        buf_append_text(&out, text);
        return json_string(buf_text(&out));
}

static json_t *change_case(const char *text, int (*change)(int)) {
        auto_free char *copy = xstrdup(text);
        for (char *c = copy; *c; c++)
                *c = (char)change((unsigned char)*c);
        return json_string(copy);
}

static json_t *call_to_upper(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return change_case(text_of(arguments[0]), toupper);
}

static json_t *call_to_lower(struct buf *error, json_t **arguments, size_t count) {
        (void)error;
        (void)count;
        return change_case(text_of(arguments[0]), tolower);
}

static json_t *call_to_int(struct buf *error, json_t **arguments, size_t count) {
        (void)count;
        char *end;
        long long number = strtoll(text_of(arguments[0]), &end, 10);
        if (end == text_of(arguments[0]) || *end) {
                buf_printf(error, "error calling ToInt: invalid syntax");
                return NULL;
        }
        return json_integer(number);
}

static const struct {
        const char *name;
        size_t min, max;
        function *call;
} functions[] = {
        { "and", 1, GO_ARGUMENTS_MAX, call_and },
        { "or", 1, GO_ARGUMENTS_MAX, call_or },
        { "not", 1, 1, call_not },
        { "len", 1, 1, call_len },
        { "index", 1, GO_ARGUMENTS_MAX, call_index },
        { "eq", 2, GO_ARGUMENTS_MAX, call_eq },
        { "ne", 2, 2, call_ne },
        { "lt", 2, 2, call_lt },
        { "le", 2, 2, call_le },
        { "gt", 2, 2, call_gt },
        { "ge", 2, 2, call_ge },
        { "print", 0, GO_ARGUMENTS_MAX, call_print },
        { "printf", 1, GO_ARGUMENTS_MAX, call_printf },
        { "hasKey", 2, 2, call_has_key },
        { "getService", 2, 2, call_get_service },
        { "Split", 2, 2, call_split },
        { "Contains", 2, 2, call_contains },
        { "Join", 2, 2, call_join },
        { "Replace", 4, 4, call_replace },
        { "ToUpper", 1, 1, call_to_upper },
        { "ToLower", 1, 1, call_to_lower },
        { "ToInt", 1, 1, call_to_int },
};

json_t *go_call(const char *name, json_t **arguments, size_t count, bool live, struct buf *error) {
        for (size_t i = 0; i < lengthof(functions); i++) {
                if (strcmp(functions[i].name, name) != 0)
                        continue;
                if (count >= functions[i].min && count <= functions[i].max)
                        return live ? functions[i].call(error, arguments, count) : json_null();
                buf_printf(error, "wrong number of args for %s", name);
                return NULL;
        }
        buf_printf(error, "function \"%s\" not defined", name);
        return NULL;
}
