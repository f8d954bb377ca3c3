// SPDX-License-Identifier: MIT
// HTTP/1.1 over plain TCP, as much of it as a node needs to fetch its root and to send its report: RFC 9110 and RFC
// 9112, one request a connection. No TLS: a library for it is larger than the initrd, and the root's SHA-256 comes
// another way. What a server sends is hostile input: heads are limited, numbers are checked, nothing of it is trusted
// but bytes that a digest covers.
#ifndef KILN_NODE_HTTP_HTTP_H
#define KILN_NODE_HTTP_HTTP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "firmware/node/facts/address.h"

enum { URL_MAX = 1024, HTTP_HEAD_MAX = 16384, HTTP_REDIRECTS_MAX = 5 };

// http://HOST[:PORT][/PATH]: a name, an IPv4 address, or an IPv6 address in brackets.
struct url {
        char host[256],
            path[URL_MAX]; // the host without brackets; the path begins with "/" and has the query, and no fragment
        uint16_t port;
};

// ERR_USAGE with a sentence: other schemes, user names, zones of IPv6, blanks and control characters are refused.
must_check bool url_parse(const char *text, struct url *ret, struct err *err);
// A Location header, which may be relative (RFC 3986, section 4.2: absolute, "//host", "/path", "name", "../name").
must_check bool url_follow(const struct url *from, const char *location, struct url *ret, struct err *err);
void url_format(const struct url *url, struct buf *ret);
void url_format_authority(const struct url *url, struct buf *ret); // HOST[:PORT]

struct http_request {
        const char *method;  // "GET" or "POST"
        uint64_t first_byte; // of a GET: where to go on; 0: from the start
        uint64_t byte_count; // of a GET: how many from there; 0: to the end
        const char *body;    // of a POST: JSON
        size_t body_size;
        int timeout_ms; // how long the server may be silent, also while connecting
        int connect_ms; // how long connecting may take, all addresses of the host together; 0: timeout_ms for each
};

struct http_response {
        int status;
        bool has_length, has_range, chunked;
        uint64_t length;            // Content-Length
        uint64_t first_byte, total; // Content-Range; total 0: unknown
        char location[URL_MAX];     // "": none
        unsigned retry_after_s;     // Retry-After in seconds, at most 86400; 0: none, or a date
};

// Parses a head, from the status line to the empty line, as RFC 9112 sections 4 and 5 say. `size` may hold more.
// ERR_CORRUPT with what is wrong. `ret_size`: bytes of the head.
must_check bool http_parse_head(const char *head, size_t size, struct http_response *ret, size_t *ret_size,
                                struct err *err);

struct http {
        int fd;
        int timeout_ms;
        struct http_response response;
        uint64_t left;      // bytes of the body, or of the chunk, that are still to come
        bool counted, done; // whether `left` counts; the body has ended
        char *buffer;       // HTTP_HEAD_MAX bytes
        size_t begin, end;  // what of it is not read yet
};

// Connects, follows no redirect, and reads the response's head. ERR_NETWORK. http_close() it in any case.
must_check bool http_open(const struct url *url, const struct http_request *request, struct http *ret, struct err *err);
// The same on a connection that is there: tests give a socket.
must_check bool http_receive(int fd, int timeout_ms, struct http *ret, struct err *err);
// Some of the body; `*ret_size` 0: its end. A body that ends before its length is ERR_NETWORK.
must_check bool http_read(struct http *http, void *buffer, size_t room, size_t *ret_size, struct err *err);
void http_close(struct http *http);

// "404 Not Found" and what it means for us.
const char *http_status_text(int status);

// The addresses of a host, IPv4 first, for `room` of at least two; asks the name servers of /etc/resolv.conf
// (resolver(3)) and knows /etc/hosts. The number found; 0 with ERR_NETWORK.
size_t http_resolve(const char *host, struct address *ret, size_t room, struct err *err);

#endif
