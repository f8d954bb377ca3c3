// SPDX-License-Identifier: MIT
// Answers: every one with what keeps browsers from taking it for something else, and files with ranges and entity tags
// (RFC 9110).
#ifndef KILN_HTTP_REPLY_H
#define KILN_HTTP_REPLY_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

// Queues a response and lets go of it.
enum MHD_Result http_reply(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);
// A short text, with a newline.
enum MHD_Result http_reply_text(struct MHD_Connection *connection, unsigned status, const char *text);

// A file to be sent, as far as it is asked for.
struct http_content {
        int *fd; // taken, and -1, where something of it is sent
        uint64_t size_bytes;
        const char *type, *cache_control;
        const char *tag; // with its quotes; "": none
        bool is_head;    // only headers are asked for: of the whole
};
struct http_part {
        uint64_t first, count; // 0, 0: nothing but headers
};
enum MHD_Result http_reply_content(struct MHD_Connection *connection, const struct http_content *content,
                                   struct http_part *ret);

// 405, which says what is there (RFC 9110, 15.5.6): "GET, HEAD".
enum MHD_Result http_reply_method(struct MHD_Connection *connection, const char *allowed);

// NULL: absent.
const char *http_header_of(struct MHD_Connection *connection, const char *name);

#endif
