// SPDX-License-Identifier: MIT
#include "status/answer.h"

#include <assert.h>
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum { SHOWN_BYTES = 120 };

bool expression_matches(const char *expression, const char *text) {
        regex_t compiled;
        if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
                return false;
        bool matches = regexec(&compiled, text, 0, NULL, 0) == 0;
        regfree(&compiled);
        return matches;
}

bool health_request(const struct health_check *check, const char *host, struct buf *ret) {
        if (check->kind == HEALTH_HTTP)
                buf_printf(ret, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: kiln\r\nConnection: close\r\n\r\n",
                           text_or(check->path, "/"), host, check->port);
        if (check->kind == HEALTH_TEXT && check->send)
                buf_append_text(ret, check->send);
        return check->kind != HEALTH_TCP;
}

// ---- why not ----

static void say_end(const struct probe *probe, struct buf *ret) {
        switch (probe->end) {
        case PROBE_ANSWERED:
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

// ---- HTTP ----

// 0: that is no HTTP.
static int status_of(const char *answer) {
        bool is_http = strncmp(answer, "HTTP/1.", 7) == 0 && strlen(answer) > 12;
        if (!is_http)
                return 0;
        return (int)strtol(answer + 9, NULL, 10);
}

static bool is_chunked(const char *answer, const char *end) {
        for (const char *line = strstr(answer, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n"))
                if (strncasecmp(line + 2, "Transfer-Encoding: chunked", 26) == 0)
                        return true;
        return false;
}

// RFC 9112, 7.1. What is no chunk ends it.
static void append_chunks(const char *text, const char *end, struct buf *ret) {
        while (text < end) {
                char *after;
                unsigned long size = strtoul(text, &after, 16);
                const char *data = strstr(after, "\r\n");
                bool is_chunk = after != text && data && size > 0 && size <= (size_t)(end - data - 2);
                if (!is_chunk)
                        return;
                buf_append(ret, data + 2, size);
                text = data + 2 + size + 2;
        }
}

static void append_body(const struct buf *answer, struct buf *ret) {
        const char *text = buf_text(answer), *end = strstr(text, "\r\n\r\n");
        if (!end)
                return;
        const char *body = end + 4, *last = text + answer->size;
        if (is_chunked(text, end))
                append_chunks(body, last, ret);
        else
                buf_append(ret, body, (size_t)(last - body));
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

static const json_t *step_into(const json_t *value, const char *key, json_t **made) {
        if (json_is_array(value) && strcmp(key, "#") == 0)
                return *made = json_integer((json_int_t)json_array_size(value));
        if (json_is_array(value) && isdigit((unsigned char)*key))
                return json_array_get(value, strtoul(key, NULL, 10));
        return json_object_get(value, key);
}

static bool find_json(const json_t *document, const char *path, struct buf *ret) {
        auto_free char *copy = xstrdup(path);
        char *rest = copy;
        json_t *made = NULL;
        const json_t *value = document;
        for (char *key; value && (key = strsep(&rest, "."));)
                value = step_into(value, key, &made);
        append_scalar(value, ret);
        bool found = value && !json_is_object(value) && !json_is_array(value) && !json_is_null(value);
        json_decref(made);
        return found;
}

static bool find_line(const char *text, const char *word, struct buf *ret) {
        size_t length = strlen(word);
        for (const char *line = text; *line;) {
                size_t size = strcspn(line, "\n");
                bool fits = size > length && strncmp(line, word, length) == 0 && strchr(" \t:=", line[length]);
                if (fits) {
                        const char *value = line + length;
                        value += strspn(value, " \t:=");
                        buf_append(ret, value, strcspn(value, "\r\n"));
                        return true;
                }
                line += size;
                line += *line == '\n';
        }
        return false;
}

static bool find_answer_value(const struct health_value *value, const char *body, const json_t *document,
                              struct buf *ret) {
        if (value->json)
                return find_json(document, value->json, ret);
        return find_line(body, text_or(value->line, ""), ret);
}

static void judge_value(const struct health_value *value, const char *body, const json_t *document, json_t *values,
                        struct buf *ret_why) {
        auto_buf text = { .max = 4096 };
        bool found = find_answer_value(value, body, document, &text) && !text.overflow;
        if (found) // an answer that is no UTF-8 has no values
                (void)!json_object_set_new(values, value->name, json_string(buf_text(&text)));
        if (!value->expect || ret_why->size > 0)
                return;
        if (!found)
                buf_printf(ret_why, "the answer has no %s", value->name);
        else if (!expression_matches(value->expect, buf_text(&text))) {
                buf_printf(ret_why, "%s is ", value->name);
                show_answer(buf_text(&text), ret_why);
        }
}

static void judge_body(const struct health_check *check, const char *body, json_t *values, struct buf *ret_why) {
        json_t *document = json_loads(body, JSON_DECODE_ANY, NULL);
        if (check->expect && !expression_matches(check->expect, body)) {
                buf_append_text(ret_why, "it answers: ");
                show_answer(body, ret_why);
        }
        for (size_t i = 0; i < check->value_count; i++)
                judge_value(&check->values[i], body, document, values, ret_why);
        json_decref(document);
}

static void judge_http(const struct health_check *check, const struct probe *probe, json_t *values,
                       struct buf *ret_why) {
        int status = status_of(buf_text(&probe->answer));
        auto_buf body = { .max = PROBE_ANSWER_MAX };
        append_body(&probe->answer, &body);
        if (status == 0) {
                buf_printf(ret_why, "port %d does not speak HTTP", check->port);
        } else if (status != 200) {
                buf_printf(ret_why, "GET %s answers %d: ", text_or(check->path, "/"), status);
                show_answer(buf_text(&body), ret_why);
        } else if (probe_is_cut(probe)) {
                buf_printf(ret_why, "the answer to GET %s breaks off", text_or(check->path, "/"));
        } else {
                judge_body(check, buf_text(&body), values, ret_why);
        }
}

void health_judge(const struct health_check *check, const struct probe *probe, json_t *values, struct buf *ret_why) {
        assert(check && probe && values && ret_why);
        say_end(probe, ret_why);
        if (probe->answer.overflow)
                buf_printf(ret_why, "port %d answers more than %d MiB", check->port, PROBE_ANSWER_MAX >> 20);
        if (ret_why->size > 0)
                return;
        if (check->kind == HEALTH_HTTP)
                judge_http(check, probe, values, ret_why);
        if (check->kind == HEALTH_TEXT && probe->answer.size == 0)
                buf_printf(ret_why, "port %d closes the connection without an answer", check->port);
        else if (check->kind == HEALTH_TEXT)
                judge_body(check, buf_text(&probe->answer), values, ret_why);
}
