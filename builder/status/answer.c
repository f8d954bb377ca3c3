// SPDX-License-Identifier: MIT
#include "status/answer.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_modest.h"
#include "base/mem.h"
#include "status/expression.h"
#include "status/zookeeper.h"

enum {
        SHOWN_BYTES = 120,
        VALUE_BYTES_MAX = 4096,
        LIST_ITEMS_MAX = 20000,
        LINE_BYTES_MAX = 64 << 10,
        PLACES_AT_ONCE = 64 // each of which may take a millisecond
};
// Some 100 MB once it is parsed; 16 MiB of what servers answer have fewer.
enum { JSON_VALUES_MAX = 1000000, JSON_DEPTH_MAX = 200 };

bool health_request(const struct health_check *check, const char *host, struct buf *ret) {
        if (check->kind == HEALTH_HTTP)
                buf_printf(ret, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: kiln\r\nConnection: close\r\n\r\n",
                           text_or(check->path, "/"), host, check->port);
        if (check->kind == HEALTH_TEXT && check->send)
                buf_append_text(ret, check->send);
        if (check->kind == HEALTH_ZOOKEEPER)
                zookeeper_request(ret);
        return check->kind != HEALTH_TCP;
}

// ---- why not ----

static void say_end(const struct probe *probe, struct buf *ret) {
        switch (probe->end) {
        case PROBE_ANSWERED:
                if (probe->answer.overflow)
                        buf_printf(ret, "port %d answers more than %d MiB, or more than others leave room for",
                                   probe->port, PROBE_ANSWER_MAX >> 20);
                return;
        case PROBE_REFUSED:
                buf_printf(ret, "nothing listens on port %d", probe->port);
                return;
        case PROBE_TIMED_OUT:
                buf_printf(ret, "no connection to port %d in %u ms", probe->port, probe->elapsed_ms);
                return;
        case PROBE_SILENT:
                buf_printf(ret, "port %d takes connections and does not answer in %u ms", probe->port,
                           probe->elapsed_ms);
                return;
        case PROBE_UNREACHABLE:
        case PROBE_BROKEN:
                buf_printf(ret, "port %d: %s", probe->port, strerror(probe->error));
                return;
        }
}

// The first line, so that it is one line in a message.
static void show_answer(const char *text, struct buf *ret) {
        size_t length = strcspn(text, "\r\n");
        if (length > SHOWN_BYTES) {
                length = SHOWN_BYTES;
                while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
                        length--; // not within a character
        }
        buf_append(ret, text, length);
}

// ---- values ----

static void append_scalar(const json_t *value, struct buf *ret) {
        if (json_is_string(value))
                buf_append_text(ret, json_string_value(value));
        else if (json_is_integer(value))
                buf_printf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
                buf_printf(ret, "%.15g", json_real_value(value));
        else if (json_is_boolean(value))
                buf_append_text(ret, json_is_true(value) ? "true" : "false");
}

static json_t *scalar_text(const json_t *value) {
        auto_buf text = { .max = VALUE_BYTES_MAX };
        bool is_scalar = value && !json_is_object(value) && !json_is_array(value) && !json_is_null(value);
        if (!is_scalar)
                return NULL;
        append_scalar(value, &text);
        if (text.overflow)
                return NULL;
        return json_string(buf_text(&text)); // NULL: no UTF-8
}

static void append_item(json_t *list, json_t *text) {
        bool has_room = json_array_size(list) < LIST_ITEMS_MAX;
        if (text && has_room)
                json_array_append_new(list, text);
        else
                json_decref(text);
}

static const json_t *step_into(const json_t *value, const char *key, json_t **made) {
        if (json_is_array(value) && strcmp(key, "#") == 0)
                return *made = json_integer((json_int_t)json_array_size(value));
        if (json_is_array(value) && isdigit((unsigned char)*key))
                return json_array_get(value, strtoul(key, NULL, 10));
        return json_object_get(value, key);
}

// Follows a path; `*ret_rest` is what is left of it, from a `*` on, or NULL.
static const json_t *follow_path(const json_t *value, const char *path, json_t **made, const char **ret_rest) {
        auto_free char *copy = xstrdup(path);
        char *rest = copy;
        *ret_rest = NULL;
        while (value && rest) {
                const char *from = path + (rest - copy);
                const char *key = strsep(&rest, ".");
                if (strcmp(key, "*") == 0) {
                        *ret_rest = from;
                        return value;
                }
                value = step_into(value, key, made);
        }
        return value;
}

// What stands at KEY of a {KEY}, of which there may be none.
static bool fill_key(const json_t *item, const char *path, struct buf *ret) {
        json_t *made = NULL;
        const char *star = NULL;
        json_t *text = scalar_text(follow_path(item, path, &made, &star));
        if (text)
                buf_append_text(ret, json_string_value(text));
        bool is_there = text != NULL;
        json_decref(text);
        json_decref(made);
        return is_there;
}

// The text that an item makes, or NULL.
static json_t *text_of_item(const json_t *item, const char *form) {
        auto_buf text = { .max = VALUE_BYTES_MAX };
        if (!form)
                return scalar_text(item);
        while (*form) {
                size_t plain = strcspn(form, "{"), length = strcspn(form, "}");
                buf_append(&text, form, plain);
                form += plain;
                if (!*form)
                        break;
                auto_free char *key = xstrndup(form + 1, length - plain - 1);
                if (!fill_key(item, key, &text))
                        return NULL;
                form += length - plain + 1;
        }
        if (text.overflow)
                return NULL;
        return json_string(buf_text(&text));
}

// Of every item what stands at `path`; further stars open further lists. A profile's path has few of them.
static void collect_items(const json_t *list, const char *path, const char *form, json_t *ret) {
        size_t i;
        json_t *item;
        json_array_foreach(list, i, item) {
                const char *star = NULL;
                json_t *made = NULL;
                const json_t *found = item;
                if (*path)
                        found = follow_path(item, path, &made, &star);
                if (star && json_is_array(found))
                        collect_items(found, star + 1 + (star[1] == '.'), form, ret);
                else if (!star)
                        append_item(ret, text_of_item(found, form));
                json_decref(made);
        }
}

static json_t *find_json(const json_t *document, const char *path, const char *form) {
        json_t *made = NULL, *found = NULL;
        const char *star = NULL;
        const json_t *value = follow_path(document, path, &made, &star);
        if (!star)
                found = text_of_item(value, form);
        else if (json_is_array(value)) {
                found = json_array();
                collect_items(value, star + 1 + (star[1] == '.'), form, found);
        }
        json_decref(made);
        return found;
}

static json_t *find_line(const char *text, const char *word) {
        size_t length = strlen(word);
        for (const char *line = text; *line;) {
                size_t size = strcspn(line, "\n");
                bool fits = size > length && strncmp(line, word, length) == 0 && strchr(" \t:=", line[length]);
                if (fits) {
                        const char *value = line + length;
                        value += strspn(value, " \t:=");
                        size_t value_size = strcspn(value, "\r\n");
                        if (value_size >= VALUE_BYTES_MAX)
                                return NULL;
                        return json_stringn(value, value_size);
                }
                line += size;
                line += *line == '\n';
        }
        return NULL;
}

// What values are read from. `document` is NULL for what is no JSON, `reply` for what is no ZooKeeper's.
struct answer_text {
        const char *body;
        const json_t *document;
        const struct zookeeper_reply *reply;
        int64_t until_ms; // of expression_clock_ms(): expressions are not held against it any more
        bool is_late;     // that was so, and what has been found is not all
};

// What values of lines are taken by. A line of hostile bytes may take seconds: nothing is looked at after `until_ms`.
struct line_matcher {
        regex_t taken;
        struct expression is_there; // says quickly of most lines that they have none
        struct re_registers places; // of the last match, by group
        bool every, is_late;
        int64_t until_ms;
};

static bool is_too_late(struct line_matcher *matcher) {
        matcher->is_late = expression_clock_ms() >= matcher->until_ms;
        return matcher->is_late;
}

// The next match in a line from a place on. regexec(3) tries each place of it, which may take minutes: here time is
// looked at in between.
static bool find_next_match(struct line_matcher *matcher, const char *line, size_t size, size_t at) {
        regoff_t found = -1;
        for (; found == -1 && at <= size && !is_too_late(matcher); at += PLACES_AT_ONCE) {
                size_t further = size_min(PLACES_AT_ONCE - 1, size - at);
                found =
                    re_search(&matcher->taken, line, (regoff_t)size, (regoff_t)at, (regoff_t)further, &matcher->places);
        }
        return found >= 0;
}

// All that matches in one line.
static void match_line(struct line_matcher *matcher, const char *line, json_t *ret) {
        size_t size = strlen(line), at = 0;
        const size_t group = size_min(matcher->taken.re_nsub, 1);
        while (json_array_size(ret) < LIST_ITEMS_MAX && find_next_match(matcher, line, size, at)) {
                regoff_t from = matcher->places.start[group];
                size_t taken = (size_t)(matcher->places.end[group] - from);
                size_t end = (size_t)matcher->places.end[0];
                bool is_value = from >= 0 && taken < VALUE_BYTES_MAX;
                if (is_value)
                        append_item(ret, json_stringn(line + from, taken));
                bool goes_on = matcher->every && end > at && end < size;
                if (!goes_on)
                        return;
                at = end;
        }
}

// Line by line: of a line that is too long for an answer that people wrote rules for, nothing is taken.
static void match_lines(struct line_matcher *matcher, const char *text, json_t *ret) {
        while (*text && (matcher->every || json_array_size(ret) == 0)) {
                size_t size = strcspn(text, "\n");
                if (is_too_late(matcher))
                        return;
                if (size <= LINE_BYTES_MAX) {
                        auto_free char *line = xstrndup(text, size);
                        line[strcspn(line, "\r")] = '\0';
                        if (expression_search(&matcher->is_there, line, INT64_MAX) == EXPRESSION_FOUND)
                                match_line(matcher, line, ret);
                }
                text += size;
                text += *text == '\n';
        }
}

static json_t *find_matches(struct answer_text *answer, const char *expression, bool every) {
        struct line_matcher matcher = { .every = every, .until_ms = answer->until_ms };
        json_t *found = json_array();
        if (regcomp(&matcher.taken, expression, REG_EXTENDED) != 0)
                return found;
        if (expression_compile(expression, &matcher.is_there)) {
                match_lines(&matcher, answer->body, found);
                expression_release(&matcher.is_there);
        }
        regfree(&matcher.taken);
        free(matcher.places.start);
        free(matcher.places.end);
        answer->is_late |= matcher.is_late;
        return found;
}

static json_t *find_match(struct answer_text *answer, const char *expression) {
        json_t *found = find_matches(answer, expression, false);
        json_t *first = json_incref(json_array_get(found, 0));
        json_decref(found);
        return first;
}

static json_t *find_reply(const struct zookeeper_reply *reply, const char *what) {
        if (strcmp(what, "epoch") == 0 && reply->has_epoch)
                return json_sprintf("%u", reply->epoch);
        if (strcmp(what, "name") == 0 && reply->name)
                return json_string(reply->name);
        if (strcmp(what, "children") == 0)
                return json_incref(reply->children);
        return NULL;
}

// A text, a list of texts, or NULL; an answer that is no UTF-8 has no values.
static json_t *find_answer_value(const struct health_value *value, struct answer_text *answer) {
        const char *body = answer->body;
        const json_t *document = answer->document;
        if (value->reply && answer->reply)
                return find_reply(answer->reply, value->reply);
        if (value->json)
                return find_json(document, value->json, value->form);
        if (value->match)
                return find_match(answer, value->match);
        if (value->matches)
                return find_matches(answer, value->matches, true);
        return find_line(body, text_or(value->line, ""));
}

static bool is_as_expected(struct answer_text *answer, const struct expression *expected, const char *text) {
        enum expression_result result = expression_search(expected, text, answer->until_ms);
        answer->is_late |= result == EXPRESSION_UNKNOWN;
        return result != EXPRESSION_ABSENT;
}

// The first text that is not as it should be, or NULL.
static const char *find_unexpected(struct answer_text *answer, const json_t *found, const struct expression *expected) {
        size_t i;
        json_t *item;
        if (json_is_string(found) && !is_as_expected(answer, expected, json_string_value(found)))
                return json_string_value(found);
        json_array_foreach(found, i, item) {
                if (!is_as_expected(answer, expected, json_string_value(item)))
                        return json_string_value(item);
        }
        return NULL;
}

static void judge_found(const struct health_value *value, struct answer_text *answer, const json_t *found,
                        struct buf *ret_why) {
        struct expression expected;
        if (!found) {
                buf_printf(ret_why, "the answer has no %s", value->name);
                return;
        }
        if (!expression_compile(value->expect, &expected))
                return; // `kiln check` says so
        const char *unexpected = find_unexpected(answer, found, &expected);
        if (unexpected) {
                buf_printf(ret_why, "%s is ", value->name);
                show_answer(unexpected, ret_why);
        }
        expression_release(&expected);
}

static void say_late(const char *what, struct buf *ret_why) {
        if (ret_why->size == 0)
                buf_printf(ret_why, "the answer is too long to look for %s in it", what);
}

// Of what is not all nothing is told: it would be taken for all.
static void judge_value(const struct health_value *value, struct answer_text *answer, json_t *values,
                        struct buf *ret_why) {
        answer->is_late = false;
        json_t *found = find_answer_value(value, answer);
        bool is_all = !answer->is_late;
        if (found && is_all)
                (void)!json_object_set(values, value->name, found);
        bool is_judged = is_all && value->expect && ret_why->size == 0;
        if (is_judged)
                judge_found(value, answer, found, ret_why);
        if (answer->is_late)
                say_late(value->name, ret_why);
        json_decref(found);
}

static void judge_text(const char *expect, struct answer_text *answer, struct buf *ret_why) {
        struct expression expected;
        if (!expression_compile(expect, &expected))
                return;
        bool is_expected = is_as_expected(answer, &expected, answer->body);
        expression_release(&expected);
        if (answer->is_late)
                say_late("what is expected", ret_why);
        else if (!is_expected) {
                buf_append_text(ret_why, "it answers: ");
                show_answer(answer->body, ret_why);
        }
}

json_t *answer_json(const char *text, size_t size, struct buf *ret_why) {
        assert(text && ret_why);
        if (json_is_modest(text, size, JSON_VALUES_MAX, JSON_DEPTH_MAX))
                return json_loadb(text, size, JSON_DECODE_ANY, NULL);
        buf_printf(ret_why, "the answer has more than %d values or %d levels", JSON_VALUES_MAX, JSON_DEPTH_MAX);
        return NULL;
}

static bool reads_json(const struct health_check *check) {
        for (size_t i = 0; i < check->value_count; i++)
                if (check->values[i].json)
                        return true;
        return false;
}

static void judge_body(const struct health_check *check, const struct buf *body, const struct zookeeper_reply *reply,
                       json_t *values, struct buf *ret_why) {
        struct answer_text answer = { .body = buf_text(body),
                                      .reply = reply,
                                      .until_ms = expression_clock_ms() + EXPRESSION_LIMIT_MS };
        auto_buf unread = { 0 };
        json_t *document = NULL;
        if (reads_json(check))
                document = answer_json(answer.body, body->size, &unread);
        answer.document = document;
        if (ret_why->size == 0)
                buf_append_text(ret_why, buf_text(&unread));
        if (check->expect && ret_why->size == 0)
                judge_text(check->expect, &answer, ret_why);
        for (size_t i = 0; i < check->value_count; i++)
                judge_value(&check->values[i], &answer, values, ret_why);
        json_decref(document);
}

bool health_body(const struct probe *probe, const char *path, struct buf *ret, struct buf *ret_why) {
        assert(probe && probe->is_http && path && ret && ret_why);
        say_end(probe, ret_why);
        if (ret_why->size > 0)
                return false;
        int status = probe->http.status;
        http_reader_body(&probe->http, &probe->answer, ret);
        if (status == 0) {
                buf_printf(ret_why, "port %d does not speak HTTP", probe->port);
        } else if (status != 200) {
                buf_printf(ret_why, "GET %s answers %d: ", path, status);
                show_answer(buf_text(ret), ret_why);
        } else if (probe_is_cut(probe)) {
                buf_printf(ret_why, "the answer to GET %s breaks off", path);
        }
        return ret_why->size == 0;
}

// What a member says beside the data is read even if that is not there.
static void judge_zookeeper(const struct health_check *check, const struct probe *probe, json_t *values,
                            struct buf *ret_why) {
        struct zookeeper_reply reply = { 0 };
        bool has_data = zookeeper_read(check, &probe->answer, &reply, ret_why);
        if (has_data || reply.has_epoch)
                judge_body(check, &reply.data, &reply, values, ret_why);
        zookeeper_release(&reply);
}

void health_judge(const struct health_check *check, const struct probe *probe, json_t *values, struct buf *ret_why) {
        assert(check && probe && values && ret_why);
        say_end(probe, ret_why);
        if (ret_why->size > 0)
                return;
        auto_buf body = { .max = PROBE_ANSWER_MAX };
        if (check->kind == HEALTH_HTTP && health_body(probe, text_or(check->path, "/"), &body, ret_why))
                judge_body(check, &body, NULL, values, ret_why);
        if (check->kind == HEALTH_ZOOKEEPER)
                judge_zookeeper(check, probe, values, ret_why);
        if (check->kind == HEALTH_TEXT && probe->answer.size == 0)
                buf_printf(ret_why, "port %d closes the connection without an answer", check->port);
        else if (check->kind == HEALTH_TEXT)
                judge_body(check, &probe->answer, NULL, values, ret_why);
}

void answer_http(const struct probe *probe, int *ret_status, struct buf *ret_body) {
        assert(probe && probe->is_http && ret_status && ret_body);
        *ret_status = probe->http.status;
        http_reader_body(&probe->http, &probe->answer, ret_body);
}
