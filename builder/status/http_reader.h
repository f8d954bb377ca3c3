// SPDX-License-Identifier: MIT
// Where an HTTP/1 answer ends (RFC 9112, 6.3 and 7.1), found while it comes: what was looked at is not looked at again.
// Nothing in it is trusted.
#ifndef KILN_STATUS_HTTP_READER_H
#define KILN_STATUS_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { HTTP_HEAD_MAX = 64 << 10 }; // a longer one is none

// {0} is at the beginning.
struct http_reader {
        size_t at;   // so much of the answer is read
        int status;  // 0: not known yet, or that is no HTTP
        size_t body; // where it begins; 0: the head has not come to its end
        // How the body ends. Neither: with the connection.
        bool is_chunked, has_length;
        size_t length;
        bool is_whole; // its end is there
        bool is_wrong; // that is no HTTP, or a chunk is none
};

// Reads on in the answer so far. True: there is nothing more to wait for.
bool http_reader_feed(struct http_reader *reader, const struct buf *answer);

// Whether an answer that has ended here lacks some of what its head announces, or of the head.
bool http_reader_is_cut(const struct http_reader *reader);

// The body as far as it is there, chunks joined, appended.
void http_reader_body(const struct http_reader *reader, const struct buf *answer, struct buf *ret);

// The value of a header, without space around it. False: it is not there, or too long for the room.
bool http_reader_header(const struct http_reader *reader, const struct buf *answer, const char *name, char *ret,
                        size_t room);

#endif
