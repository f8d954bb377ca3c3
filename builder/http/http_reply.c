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

enum MHD_Result http_reply_method(struct MHD_Connection *connection, const char *allowed) {
        auto_free char *line = xasprintf("%s are what there is\n", allowed);
        struct MHD_Response *response = MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY);
        if (response) {
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
                MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed);
        }
        return http_reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response);
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

static enum MHD_Result reply_beyond(struct MHD_Connection *connection, const struct http_content *content) {
        struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (!response)
                return MHD_NO;
        add_content_headers(content, response);
        auto_free char *range = xasprintf("bytes */%ju", (uintmax_t)content->size_bytes);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        return http_reply(connection, MHD_HTTP_RANGE_NOT_SATISFIABLE, response);
}

// The response closes the file. With 304 nothing of it is sent, and its size is the one that 200 would tell (RFC 9110,
// 8.6).
static enum MHD_Result send_part(struct MHD_Connection *connection, const struct http_content *content,
                                 const struct http_part *part, unsigned status) {
        struct MHD_Response *response =
            MHD_create_response_from_fd_at_offset64(part->count, take_fd(*content->fd), part->first);
        if (!response)
                return MHD_NO;
        add_content_headers(content, response);
        if (status == MHD_HTTP_PARTIAL_CONTENT) {
                auto_free char *range =
                    xasprintf("bytes %ju-%ju/%ju", (uintmax_t)part->first, (uintmax_t)(part->first + part->count - 1),
                              (uintmax_t)content->size_bytes);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        }
        return http_reply(connection, status, response);
}

enum MHD_Result http_reply_content(struct MHD_Connection *connection, const struct http_content *content,
                                   struct http_part *ret) {
        assert(connection && *content->fd >= 0 && content->type && content->tag && ret);
        const char *range = http_header_of(connection, MHD_HTTP_HEADER_RANGE);
        const char *only_if = http_header_of(connection, MHD_HTTP_HEADER_IF_RANGE);
        const char *unless = http_header_of(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
        const struct http_part whole = { .count = content->size_bytes };
        *ret = (struct http_part){ 0 };
        if (unless && *content->tag && http_tag_matches(unless, content->tag))
                return send_part(connection, content, &whole, MHD_HTTP_NOT_MODIFIED);
        bool is_of_another = only_if && strcmp(only_if, content->tag) != 0; // it has another file's beginning
        if (is_of_another || content->is_head)
                range = NULL; // for GET alone (RFC 9110, 14.2)
        struct http_part part;
        enum range_kind kind = http_range_parse(range, content->size_bytes, &part.first, &part.count);
        if (kind == RANGE_NONE)
                return reply_beyond(connection, content);
        *ret = part;
        if (kind == RANGE_PART)
                return send_part(connection, content, &part, MHD_HTTP_PARTIAL_CONTENT);
        return send_part(connection, content, &part, MHD_HTTP_OK);
}
