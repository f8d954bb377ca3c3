// SPDX-License-Identifier: MIT
#include "http/http_reply.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_range.h"

enum MHD_Result http_reply(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response) {
        if (!response)
                return MHD_NO;
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
        MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
        enum MHD_Result result = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return result;
}

enum MHD_Result http_reply_text(struct MHD_Connection *connection, unsigned status, const char *text) {
        auto_free char *line = xasprintf("%s\n", text);
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY);
        if (response)
                MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
        return http_reply(connection, status, response);
}

const char *http_header_of(struct MHD_Connection *connection, const char *name) {
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

// ---- files ----

static void add_content_headers(const struct http_content *content, struct MHD_Response *response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content->type);
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
        if (*content->tag)
                MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, content->tag);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, content->cache_control);
}

static enum MHD_Result reply_empty(struct MHD_Connection *connection, unsigned status,
                                   const struct http_content *content) {
        struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (!response)
                return MHD_NO;
        add_content_headers(content, response);
        if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
                auto_free char *range = xasprintf("bytes */%ju", (uintmax_t)content->size_bytes);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        }
        return http_reply(connection, status, response);
}

// The response closes the file.
static enum MHD_Result send_part(struct MHD_Connection *connection, const struct http_content *content,
                                 const struct http_part *part, bool is_part) {
        unsigned status = MHD_HTTP_OK;
        struct MHD_Response *response =
            MHD_create_response_from_fd_at_offset64(part->count, take_fd(*content->fd), part->first);
        if (!response)
                return MHD_NO;
        add_content_headers(content, response);
        if (is_part) {
                auto_free char *range =
                    xasprintf("bytes %ju-%ju/%ju", (uintmax_t)part->first, (uintmax_t)(part->first + part->count - 1),
                              (uintmax_t)content->size_bytes);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
                status = MHD_HTTP_PARTIAL_CONTENT;
        }
        return http_reply(connection, status, response);
}

enum MHD_Result http_reply_content(struct MHD_Connection *connection, const struct http_content *content,
                                   struct http_part *ret) {
        assert(connection && *content->fd >= 0 && content->type && content->tag && ret);
        const char *range = http_header_of(connection, MHD_HTTP_HEADER_RANGE);
        const char *only_if = http_header_of(connection, MHD_HTTP_HEADER_IF_RANGE);
        const char *unless = http_header_of(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
        *ret = (struct http_part){ 0 };
        if (unless && *content->tag && http_tag_matches(unless, content->tag))
                return reply_empty(connection, MHD_HTTP_NOT_MODIFIED, content);
        if (only_if && strcmp(only_if, content->tag) != 0)
                range = NULL; // it has another file's beginning
        struct http_part part;
        enum range_kind kind = http_range_parse(range, content->size_bytes, &part.first, &part.count);
        if (kind == RANGE_NONE)
                return reply_empty(connection, MHD_HTTP_RANGE_NOT_SATISFIABLE, content);
        *ret = part;
        return send_part(connection, content, &part, kind == RANGE_PART);
}
