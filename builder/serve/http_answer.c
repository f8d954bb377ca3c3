// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_reply.h"
#include "serve/http_request.h"

enum {
        SENT_MAX_BYTES = 64 << 20, // of texts to all who read slowly
        FULL_RETRY_S = 5,
};

enum MHD_Result http_answer(const struct http_request *request, unsigned status, struct MHD_Response *response) {
        return http_reply(request->connection, status, response);
}

enum MHD_Result http_answer_text(const struct http_request *request, unsigned status, const char *text) {
        return http_reply_text(request->connection, status, text);
}

enum MHD_Result http_answer_later(const struct http_request *request, unsigned retry_s, const char *text) {
        auto_free char *line = xasprintf("%s\n", text), *seconds = xasprintf("%u", retry_s);
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY);
        if (response) {
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
                MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
        }
        return http_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, response);
}

// A text that is being sent, counted until it is.
struct sent_text {
        size_t size;
        char *text;
};

static size_t sent_bytes; // of all such; atomic

static void free_sent(void *context) {
        struct sent_text *sent = context;
        __atomic_sub_fetch(&sent_bytes, sent->size, __ATOMIC_RELAXED);
        free(sent->text);
        free(sent);
}

enum MHD_Result http_answer_buf(const struct http_request *request, const char *type, struct buf *body) {
        if (__atomic_load_n(&sent_bytes, __ATOMIC_RELAXED) + body->size > SENT_MAX_BYTES)
                return http_answer_later(request, FULL_RETRY_S, "as much is being sent as this server keeps in memory");
        struct sent_text *sent = xcalloc(1, sizeof *sent);
        sent->size = body->size;
        sent->text = buf_take(body);
        __atomic_add_fetch(&sent_bytes, sent->size, __ATOMIC_RELAXED);
        struct MHD_Response *response =
            MHD_create_response_from_buffer_with_free_callback_cls(sent->size, sent->text, free_sent, sent);
        if (!response) {
                free_sent(sent);
                return MHD_NO;
        }
        MHD_add_response_header(response, "Content-Type", type);
        MHD_add_response_header(response, "Cache-Control", "no-store");
        return http_answer(request, MHD_HTTP_OK, response);
}

const char *http_header(const struct http_request *request, const char *name) {
        return http_header_of(request->connection, name);
}

const char *http_parameter(const struct http_request *request, const char *name) {
        return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}
