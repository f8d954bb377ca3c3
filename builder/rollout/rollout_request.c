// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rollout/internal.h"
#include "status/answer.h"
#include "status/probe.h"

enum { SHOWN_ANSWER_BYTES = 120 };

const json_t *json_at(const json_t *document, const char *path) {
        auto_free char *copy = xstrdup(path);
        char *rest = copy;
        const json_t *value = document;
        for (char *key; value && (key = strsep(&rest, "."));) {
                if (json_is_array(value) && isdigit((unsigned char)*key))
                        value = json_array_get(value, strtoul(key, NULL, 10));
                else
                        value = json_object_get(value, key);
        }
        return value;
}

static void format_request(const struct rollout_request *request, const char *host, struct buf *ret) {
        buf_printf(ret, "%s %s HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: kiln\r\nAccept: application/json\r\n",
                   request->method, request->path, host, request->port);
        if (request->body)
                buf_printf(ret, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(request->body));
        buf_printf(ret, "Connection: close\r\n\r\n%s", text_or(request->body, ""));
}

static bool refuse_end(const struct probe *probe, const char *what, struct err *err) {
        static const char *const ends[] = {
                [PROBE_ANSWERED] = "the answer breaks off", [PROBE_REFUSED] = "nothing listens",
                [PROBE_TIMED_OUT] = "no connection",        [PROBE_SILENT] = "no answer",
                [PROBE_UNREACHABLE] = "no way there",       [PROBE_BROKEN] = "the connection broke"
        };
        return fail(err, ERR_ROLLOUT, probe->error, "%s: %s", what, ends[probe->end]);
}

static bool take_answer_body(const struct probe *probe, const char *what, struct buf *ret, struct err *err) {
        int status = 0;
        auto_buf body = { .max = PROBE_ANSWER_MAX };
        if (probe->end != PROBE_ANSWERED || probe_is_cut(probe))
                return refuse_end(probe, what, err);
        if (probe->answer.overflow)
                return fail(err, ERR_ROLLOUT, 0, "%s: the answer is larger than %d MiB", what, PROBE_ANSWER_MAX >> 20);
        answer_http(probe, &status, &body);
        if (status / 100 != 2)
                return fail(err, ERR_ROLLOUT, 0, "%s: answered %d: %.*s", what, status, SHOWN_ANSWER_BYTES,
                            buf_text(&body));
        buf_append(ret, buf_text(&body), body.size);
        return true;
}

bool rollout_request(const struct rollout *rollout, const struct node *node, const struct rollout_request *request,
                     struct buf *ret, struct err *err) {
        char host[INET_ADDRSTRLEN];
        auto_buf text = { 0 };
        inet_ntop(AF_INET, &node->ip, host, sizeof host);
        format_request(request, host, &text);
        struct probe probe = { .address = node->ip,
                               .port = (uint16_t)request->port,
                               .request = buf_text(&text),
                               .request_size = text.size,
                               .is_http = true };
        auto_free char *what =
            xasprintf("%s (%s): %s :%d%s", node->name, host, request->method, request->port, request->path);
        bool ok = probes_run(&probe, 1, rollout->options->deadline_ms, err) && take_answer_body(&probe, what, ret, err);
        probe_release(&probe);
        return ok;
}

bool rollout_request_json(const struct rollout *rollout, const struct node *node, const struct rollout_request *request,
                          json_t **ret, struct err *err) {
        auto_buf body = { .max = PROBE_ANSWER_MAX };
        if (!rollout_request(rollout, node, request, &body, err))
                return false;
        auto_buf why = { 0 };
        json_t *document = answer_json(buf_text(&body), body.size, &why);
        if (!document)
                return fail(err, ERR_ROLLOUT, 0, "%s: %s: %s", node->name, request->path,
                            text_or(why.data, "the answer is no JSON"));
        *ret = document;
        return true;
}
