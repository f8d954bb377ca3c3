// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/mem.h"
#include "serve/http_request.h"

enum MHD_Result http_answer(const struct http_request *request, unsigned status, struct MHD_Response *response) {
        if (!response)
                return MHD_NO;
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        enum MHD_Result result = MHD_queue_response(request->connection, status, response);
        MHD_destroy_response(response);
        return result;
}

enum MHD_Result http_answer_text(const struct http_request *request, unsigned status, const char *text) {
        auto_free char *line = xasprintf("%s\n", text);
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY);
        if (response)
                MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
        return http_answer(request, status, response);
}

enum MHD_Result http_answer_buf(const struct http_request *request, const char *type, struct buf *body) {
        size_t size = body->size;
        char *text = buf_take(body);
        struct MHD_Response *response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
        if (response) {
                MHD_add_response_header(response, "Content-Type", type);
                MHD_add_response_header(response, "Cache-Control", "no-store");
        }
        return http_answer(request, MHD_HTTP_OK, response);
}

const char *http_header(const struct http_request *request, const char *name) {
        return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_parameter(const struct http_request *request, const char *name) {
        return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}
