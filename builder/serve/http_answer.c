// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_reply.h"
#include "serve/http_request.h"

enum { SENT_MAX_BYTES = 64 << 20 }; // of texts to all who read slowly

enum MHD_Result http_answer(const struct http_request *request, unsigned status, struct MHD_Response *response) {
        return http_reply(request->connection, status, response);
}

enum MHD_Result http_answer_text(const struct http_request *request, unsigned status, const char *text) {
        return http_reply_text(request->connection, status, text);
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

static enum MHD_Result answer_full(const struct http_request *request) {
        static const char text[] = "as much is being sent as this server keeps in memory\n";
        struct MHD_Response *response =
            MHD_create_response_from_buffer(sizeof text - 1, (void *)text, MHD_RESPMEM_PERSISTENT);
        if (response)
                MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
        return http_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, response);
}

enum MHD_Result http_answer_buf(const struct http_request *request, const char *type, struct buf *body) {
        if (__atomic_load_n(&sent_bytes, __ATOMIC_RELAXED) + body->size > SENT_MAX_BYTES)
                return answer_full(request);
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
