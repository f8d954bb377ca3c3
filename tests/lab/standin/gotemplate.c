// SPDX-License-Identifier: MIT
#include "gotemplate.h"

#include <ctype.h>
#include <string.h>

#include "common.h"
#include "gofunctions.h"

enum { VARIABLES_MAX = 64, DEPTH_MAX = 64 };

// One pass does both: text is read from `at` on, and with `live` false it is only checked. A body of {{range}} is read
// once for each item, so a position is kept instead of a tree.
struct render {
        const char *text, *at;           // at: the next byte
        const char *action, *action_end; // inside {{ }}: what is left of it
        struct buf *out, *error;
        json_t *dot;
        struct {
                char name[64];
                json_t *value;
        } variables[VARIABLES_MAX];
        size_t variable_count;
        int depth;
        bool failed;
};

static json_t *parse_pipe(struct render *r, bool live);

static bool complain(struct render *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool complain(struct render *r, const char *format, ...) {
        if (r->failed)
                return false;
        int line = 1;
        for (const char *c = r->text; c < r->at; c++)
                line += *c == '\n';
        buf_printf(r->error, "line %d: ", line);
        va_list arguments;
        va_start(arguments, format);
        buf_vprintf(r->error, format, arguments);
        va_end(arguments);
        r->failed = true;
        return false;
}

static json_t *get_field(struct render *r, json_t *object, const char *name) {
        json_t *value = json_object_get(object, name);
        if (value)
                return json_incref(value);
        if (go_is_map(object))
                return json_string("");
        complain(r, "can't evaluate field %s", name);
        return json_null();
}

static json_t *call_function(struct render *r, const char *name, json_t **arguments, size_t count, bool live) {
        auto_buf problem = { 0 };
        json_t *value = r->failed ? NULL : go_call(name, arguments, count, live, &problem);
        if (!value)
                complain(r, "%s", buf_text(&problem));
        return value ? value : json_null();
}

// ---- pipelines ----

static void skip_space(struct render *r) {
        while (r->action < r->action_end && isspace((unsigned char)*r->action))
                r->action++;
}

static char peek(struct render *r) {
        skip_space(r);
        return r->action < r->action_end ? *r->action : '\0';
}

// Letters, digits and "_" from the current place; empty if none. At most 63 bytes count.
static void take_word(struct render *r, char ret[static 64]) {
        size_t length = 0;
        while (r->action < r->action_end && (isalnum((unsigned char)*r->action) || *r->action == '_')) {
                if (length < 63)
                        ret[length++] = *r->action;
                r->action++;
        }
        ret[length] = '\0';
}

static json_t *take_fields(struct render *r, json_t *value, bool live) {
        while (r->action + 1 < r->action_end && r->action[0] == '.' &&
               (isalpha((unsigned char)r->action[1]) || r->action[1] == '_')) {
                char name[64];
                r->action++;
                take_word(r, name);
                if (!live || r->failed)
                        continue;
                json_t *field = get_field(r, value, name);
                json_decref(value);
                value = field;
        }
        return value;
}

static json_t *take_quoted(struct render *r) {
        char quote = *r->action++;
        auto_buf text = { 0 };
        while (r->action < r->action_end && *r->action != quote) {
                if (quote == '"' && *r->action == '\\' && r->action + 1 < r->action_end) {
                        r->action++;
                        buf_append_char(&text, *r->action == 'n' ? '\n' : *r->action == 't' ? '\t' : *r->action);
                } else {
                        buf_append_char(&text, *r->action);
                }
                r->action++;
        }
        if (r->action >= r->action_end)
                complain(r, "unterminated quoted string");
        else
                r->action++;
        return json_string(buf_text(&text));
}

static json_t *take_variable(struct render *r, bool live) {
        char name[64];
        r->action++;
        take_word(r, name);
        if (!*name)
                return take_fields(r, json_incref(r->variables[0].value), live);
        for (size_t i = r->variable_count; i-- > 0;)
                if (strcmp(r->variables[i].name, name) == 0)
                        return take_fields(r, json_incref(r->variables[i].value), live);
        complain(r, "undefined variable \"$%s\"", name);
        return json_null();
}

static json_t *take_number(struct render *r) {
        char *end;
        auto_free char *rest = xstrndup(r->action, (size_t)(r->action_end - r->action));
        long long number = strtoll(rest, &end, 10);
        if (end == rest || isalnum((unsigned char)*end) || *end == '.')
                complain(r, "bad number syntax: \"%s\"", rest);
        r->action += end - rest;
        return json_integer(number);
}

static json_t *take_parenthesis(struct render *r, bool live) {
        r->action++;
        json_t *value = parse_pipe(r, live);
        if (peek(r) != ')')
                complain(r, "unclosed left paren");
        else
                r->action++;
        return take_fields(r, value, live);
}

static bool operand_follows(struct render *r) {
        char next = peek(r);
        return next && next != '|' && next != ')';
}

// An operand, or, for a name, NULL with the function's name.
static json_t *take_operand(struct render *r, bool live, char ret_name[static 64]) {
        char next = peek(r);
        *ret_name = '\0';
        if (next == '.') {
                bool alone =
                    r->action + 1 >= r->action_end || !(isalpha((unsigned char)r->action[1]) || r->action[1] == '_');
                r->action += alone;
                return alone ? json_incref(r->dot) : take_fields(r, json_incref(r->dot), live);
        }
        if (next == '$')
                return take_variable(r, live);
        if (next == '"' || next == '`')
                return take_quoted(r);
        if (next == '(')
                return take_parenthesis(r, live);
        if (isdigit((unsigned char)next) ||
            (next == '-' && r->action + 1 < r->action_end && isdigit((unsigned char)r->action[1])))
                return take_number(r);
        take_word(r, ret_name);
        if (!*ret_name) {
                complain(r, "unexpected '%c' in command", next ? next : ' ');
                r->action = r->action_end;
                return json_null();
        }
        json_t *constant = strcmp(ret_name, "true") == 0    ? json_true()
                           : strcmp(ret_name, "false") == 0 ? json_false()
                           : strcmp(ret_name, "nil") == 0   ? json_null()
                                                            : NULL;
        if (constant)
                *ret_name = '\0';
        return constant;
}

// One command; `last` (may be NULL, stolen) is the value of the command before it in the pipeline.
static json_t *parse_command(struct render *r, json_t *last, bool live) {
        char name[64], argument_name[64];
        json_t *arguments[GO_ARGUMENTS_MAX + 1], *value = take_operand(r, live, name);
        size_t count = 0;
        while (operand_follows(r) && !r->failed) {
                json_t *argument = take_operand(r, live, argument_name);
                if (!argument) // a function without arguments
                        argument = call_function(r, argument_name, NULL, 0, live);
                if (count < GO_ARGUMENTS_MAX)
                        arguments[count++] = argument;
        }
        if (last)
                arguments[count++] = last;
        if (value && count > 0)
                complain(r, "can't give argument to non-function");
        if (!value)
                value = call_function(r, name, arguments, count, live);
        while (count > 0)
                json_decref(arguments[--count]);
        return value;
}

static json_t *parse_pipe(struct render *r, bool live) {
        if (++r->depth > DEPTH_MAX)
                complain(r, "too deeply nested");
        json_t *value = r->failed ? json_null() : parse_command(r, NULL, live);
        while (peek(r) == '|' && !r->failed) {
                r->action++;
                value = parse_command(r, value, live);
        }
        r->depth--;
        return value;
}

// ---- variables ----

static void set_variable(struct render *r, const char *name, json_t *value) {
        if (r->variable_count >= VARIABLES_MAX) {
                complain(r, "too many variables");
                return;
        }
        snprintf(r->variables[r->variable_count].name, sizeof(r->variables[0].name), "%s", name);
        r->variables[r->variable_count++].value = json_incref(value);
}

static void drop_variables(struct render *r, size_t count) {
        while (r->variable_count > count)
                json_decref(r->variables[--r->variable_count].value);
}

// "$a :=" or "$a, $b :=": the number of names; 0: no declaration.
static int take_declaration(struct render *r, char names[static 2][64]) {
        const char *start = r->action;
        int count = 0;
        while (count < 2 && peek(r) == '$') {
                r->action++;
                take_word(r, names[count++]);
                if (peek(r) != ',')
                        break;
                r->action++;
        }
        skip_space(r);
        if (count > 0 && r->action_end - r->action >= 2 && strncmp(r->action, ":=", 2) == 0) {
                r->action += 2;
                return count;
        }
        r->action = start;
        return 0;
}

// ---- text and actions ----

enum ending { ENDING_TEXT, ENDING_END, ENDING_ELSE }; // what closed a list of text and actions

static enum ending render_list(struct render *r, bool live, bool top);

// Moves to the next action; its text is in r->action. False at the end of the text.
static bool next_action(struct render *r, bool live) {
        const char *open = strstr(r->at, "{{");
        const char *end = open ? open : r->at + strlen(r->at);
        if (live)
                buf_append(r->out, r->at, (size_t)(end - r->at));
        r->at = end;
        if (!open)
                return false;
        const char *body = open + 2;
        bool comment = strncmp(body, "/*", 2) == 0;
        const char *close = strstr(body, comment ? "*/}}" : "}}");
        if (!close)
                return complain(r, "unclosed action");
        r->action = comment ? close : body;
        r->action_end = close;
        r->at = close + (comment ? 4 : 2);
        if (!comment && (*body == '-' || (close > body && close[-1] == '-')))
                return complain(r, "\"{{-\" and \"-}}\" came with Go 1.6: Bamboo 0.2.15 does not know them");
        return true;
}

static bool take_keyword(struct render *r, const char *keyword) {
        skip_space(r);
        size_t length = strlen(keyword);
        if ((size_t)(r->action_end - r->action) < length || strncmp(r->action, keyword, length) != 0 ||
            (r->action + length < r->action_end &&
             (isalnum((unsigned char)r->action[length]) || r->action[length] == '_')))
                return false;
        r->action += length;
        return true;
}

static void finish_action(struct render *r) {
        if (peek(r))
                complain(r, "unexpected \"%.*s\" in action", (int)(r->action_end - r->action), r->action);
}

// After the body of an if or with: the {{else}} or {{else if}} part and the {{end}}.
static void render_conditional(struct render *r, bool live, bool with) {
        size_t variables = r->variable_count;
        char names[2][64];
        int declared = take_declaration(r, names);
        json_t *value = parse_pipe(r, live), *dot = r->dot;
        finish_action(r);
        if (declared)
                set_variable(r, names[0], value);
        bool taken = live && go_truth(value);
        if (with && taken)
                r->dot = value;
        enum ending ending = render_list(r, taken, false);
        r->dot = dot;
        if (ending == ENDING_ELSE && !r->failed) {
                bool chained = take_keyword(r, "if");
                if (chained) {
                        render_conditional(r, live && !taken, false);
                } else {
                        finish_action(r);
                        if (render_list(r, live && !taken, false) == ENDING_ELSE)
                                complain(r, "unexpected {{else}}");
                }
        }
        json_decref(value);
        drop_variables(r, variables);
}

static void render_item(struct render *r, const char *body, int declared, char names[static 2][64], json_t *key,
                        json_t *item) {
        size_t variables = r->variable_count;
        if (declared == 2)
                set_variable(r, names[0], key);
        if (declared > 0)
                set_variable(r, names[declared - 1], item);
        json_t *dot = r->dot;
        r->dot = item;
        r->at = body;
        render_list(r, true, false);
        r->dot = dot;
        drop_variables(r, variables);
}

static int compare_keys(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static size_t range_map(struct render *r, const char *body, int declared, char names[static 2][64], json_t *map) {
        const char **keys = NULL, *name;
        size_t count = 0;
        json_t *item;
        json_object_foreach(map, name, item) if (*name) * array_append(&keys, &count) = name;
        if (count > 0)
                qsort(keys, count, sizeof(*keys), compare_keys);
        for (size_t i = 0; i < count && !r->failed; i++) {
                json_t *key = json_string(keys[i]);
                render_item(r, body, declared, names, key, json_object_get(map, keys[i]));
                json_decref(key);
        }
        free(keys);
        return count;
}

static size_t range_items(struct render *r, const char *body, int declared, char names[static 2][64], json_t *value) {
        if (go_is_map(value))
                return range_map(r, body, declared, names, value);
        size_t count = json_array_size(value);
        for (size_t i = 0; i < count && !r->failed; i++) {
                json_t *key = json_integer((json_int_t)i);
                render_item(r, body, declared, names, key, json_array_get(value, i));
                json_decref(key);
        }
        return count;
}

static void render_range(struct render *r, bool live) {
        char names[2][64];
        int declared = take_declaration(r, names);
        json_t *value = parse_pipe(r, live);
        finish_action(r);
        if (live && !r->failed && !json_is_array(value) && !go_is_map(value) && !json_is_null(value))
                complain(r, "range can't iterate over this value");
        const char *body = r->at;
        size_t count = live && !r->failed ? range_items(r, body, declared, names, value) : 0;
        if (!r->failed) {
                // Once more without output, to find the end and to check a body that no item took.
                size_t variables = r->variable_count;
                for (int i = 0; i < declared; i++)
                        set_variable(r, names[i], json_null());
                r->at = body;
                enum ending ending = render_list(r, false, false);
                drop_variables(r, variables);
                if (ending == ENDING_ELSE)
                        render_list(r, live && count == 0, false);
        }
        json_decref(value);
}

static void render_value(struct render *r, bool live) {
        if (!peek(r)) {
                // A comment, or {{}} which Go refuses.
                if (r->action != r->at - 4)
                        complain(r, "missing value for command");
                return;
        }
        char names[2][64];
        int declared = take_declaration(r, names);
        json_t *value = parse_pipe(r, live);
        finish_action(r);
        if (declared)
                set_variable(r, names[0], value);
        else if (live && !r->failed)
                go_print(r->out, value);
        json_decref(value);
}

static enum ending render_list(struct render *r, bool live, bool top) {
        size_t variables = r->variable_count;
        enum ending ending = ENDING_TEXT;
        if (++r->depth > DEPTH_MAX)
                complain(r, "too deeply nested");
        while (!r->failed && ending == ENDING_TEXT && next_action(r, live)) {
                if (take_keyword(r, "if"))
                        render_conditional(r, live, false);
                else if (take_keyword(r, "with"))
                        render_conditional(r, live, true);
                else if (take_keyword(r, "range"))
                        render_range(r, live);
                else if (take_keyword(r, "else"))
                        ending = ENDING_ELSE;
                else if (take_keyword(r, "end"))
                        ending = ENDING_END;
                else
                        render_value(r, live);
        }
        r->depth--;
        if (top && ending != ENDING_TEXT)
                complain(r, "unexpected {{%s}}", ending == ENDING_END ? "end" : "else");
        if (!top && ending == ENDING_TEXT)
                complain(r, "unexpected EOF: a block has no {{end}}");
        drop_variables(r, variables);
        return ending;
}

bool gotemplate_render(const char *text, json_t *data, struct buf *ret, struct buf *error) {
        struct render r = { .text = text, .at = text, .out = ret, .error = error, .dot = data };
        set_variable(&r, "", data);
        render_list(&r, true, true);
        drop_variables(&r, 0);
        return !r.failed;
}
