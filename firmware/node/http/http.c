// SPDX-License-Identifier: MIT
#include "firmware/node/http/http.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"

enum { ADDRESSES_MAX = 16, LINE_MAX_BYTES = 256 };

static bool wait_for_socket(int fd, short events, int timeout_ms, const char *what, struct err *err) {
        struct pollfd poller = { fd, events, 0 };
        int ready;
        do
                ready = poll(&poller, 1, timeout_ms);
        while (ready < 0 && errno == EINTR);
        if (ready < 0)
                return fail(err, ERR_SYSTEM, errno, "wait for the server");
        return ready > 0 || fail(err, ERR_NETWORK, 0, "%s within %d s", what, timeout_ms / 1000);
}

// ---- connecting ----

union socket_address {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
};

static socklen_t put_socket_address(const struct address *address, uint16_t port, union socket_address *ret) {
        *ret = (union socket_address){ .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) } };
        if (address->family == 6) {
                memcpy(&ret->in6.sin6_addr, address->bytes, sizeof ret->in6.sin6_addr);
                return sizeof ret->in6;
        }
        *ret = (union socket_address){ .in = { .sin_family = AF_INET, .sin_port = htons(port) } };
        memcpy(&ret->in.sin_addr, address->bytes, sizeof ret->in.sin_addr);
        return sizeof ret->in;
}

static bool connect_address(const struct address *address, const struct url *url, int timeout_ms, int *ret_fd,
                            struct err *err) {
        union socket_address to;
        socklen_t to_size = put_socket_address(address, url->port, &to);
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, text);
        auto_close int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int failure = 0;
        socklen_t size = sizeof failure;
        if (fd < 0 && errno == EAFNOSUPPORT) // "ipv6.disable=1": another address, or another mirror, may be of use
                return fail(err, ERR_NETWORK, errno, "connect to %s port %u", text, url->port);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a socket");
        if (connect(fd, &to.any, to_size) < 0 && errno != EINPROGRESS)
                return fail(err, ERR_NETWORK, errno, "connect to %s port %u", text, url->port);
        if (!wait_for_socket(fd, POLLOUT, timeout_ms, "no connection", err))
                return wrap(err, "connect to %s port %u", text, url->port);
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0 || failure)
                return fail(err, ERR_NETWORK, failure, "connect to %s port %u", text, url->port);
        *ret_fd = take_fd(fd);
        return true;
}

static bool connect_host(const struct url *url, const struct http_request *request, int *ret_fd, struct err *err) {
        struct address addresses[ADDRESSES_MAX];
        size_t count = http_resolve(url->host, addresses, lengthof(addresses), err);
        int timeout_ms = request->timeout_ms;
        if (request->connect_ms > 0 && count > 0)
                timeout_ms = request->connect_ms / (int)count;
        for (size_t i = 0; i < count; i++) {
                struct err failure = { 0 };
                if (connect_address(&addresses[i], url, timeout_ms, ret_fd, &failure)) {
                        err_release(err);
                        return true;
                }
                // An address of a family that this kernel has not got says nothing about the server.
                bool tells_more = err->kind == ERR_NONE || failure.number != EAFNOSUPPORT;
                if (tells_more) {
                        err_release(err);
                        *err = take_err(&failure);
                }
                err_release(&failure);
        }
        return false;
}

static bool send_bytes(int fd, const char *data, size_t size, int timeout_ms, struct err *err) {
        while (size > 0) {
                ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
                if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
                        if (!wait_for_socket(fd, POLLOUT, timeout_ms, "the server takes no data", err))
                                return false;
                        continue;
                }
                if (sent < 0)
                        return fail(err, ERR_NETWORK, errno, "send the request");
                data += sent;
                size -= (size_t)sent;
        }
        return true;
}

static bool send_request(int fd, const struct url *url, const struct http_request *request, struct err *err) {
        auto_buf text = { 0 };
        buf_printf(&text, "%s %s HTTP/1.1\r\nHost: ", request->method, url->path);
        url_format_authority(url, &text);
        buf_append_text(&text, "\r\nUser-Agent: kiln-node\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
                               "Connection: close\r\n");
        if (request->byte_count)
                buf_printf(&text, "Range: bytes=%" PRIu64 "-%" PRIu64 "\r\n", request->first_byte,
                           request->first_byte + request->byte_count - 1);
        else if (request->first_byte)
                buf_printf(&text, "Range: bytes=%" PRIu64 "-\r\n", request->first_byte);
        if (request->body)
                buf_printf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", request->body_size);
        buf_append_text(&text, "\r\n");
        if (request->body)
                buf_append(&text, request->body, request->body_size);
        return send_bytes(fd, buf_text(&text), text.size, request->timeout_ms, err);
}

// ---- receiving ----

// More bytes into the buffer; `*ret_size` 0: the server has closed the connection.
static bool fill_buffer(struct http *http, size_t *ret_size, struct err *err) {
        if (http->begin == http->end)
                http->begin = http->end = 0;
        for (;;) {
                ssize_t got = read(http->fd, http->buffer + http->end, HTTP_HEAD_MAX - http->end);
                if (got < 0 && errno == EAGAIN) {
                        if (!wait_for_socket(http->fd, POLLIN, http->timeout_ms, "the server sent nothing", err))
                                return false;
                        continue;
                }
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_NETWORK, errno, "read from the server");
                http->end += (size_t)got;
                *ret_size = (size_t)got;
                return true;
        }
}

static bool read_response_head(struct http *http, struct err *err) {
        int64_t deadline = clock_now_ms() + 2 * (int64_t)http->timeout_ms; // whatever drips
        for (;;) {
                size_t got, size;
                if (memmem(http->buffer + http->begin, http->end - http->begin, "\r\n\r\n", 4) ||
                    memmem(http->buffer + http->begin, http->end - http->begin, "\n\n", 2)) {
                        if (!http_parse_head(http->buffer + http->begin, http->end - http->begin, &http->response,
                                             &size, err))
                                return false;
                        http->begin += size;
                        if (http->response.status >= 200)
                                return true;
                        continue; // "100 Continue" and its like come before the response
                }
                memmove(http->buffer, http->buffer + http->begin, http->end - http->begin);
                http->end -= http->begin;
                http->begin = 0;
                if (http->end == HTTP_HEAD_MAX)
                        return fail(err, ERR_CORRUPT, 0, "the response's head is longer than %d bytes", HTTP_HEAD_MAX);
                if (clock_now_ms() >= deadline)
                        return fail(err, ERR_NETWORK, 0, "the response's head takes too long");
                if (!fill_buffer(http, &got, err))
                        return false;
                if (got == 0)
                        return fail(err, ERR_NETWORK, 0, "the server closed the connection before it answered");
        }
}

bool http_receive(int fd, int timeout_ms, struct http *ret, struct err *err) {
        *ret = (struct http){ .fd = fd, .timeout_ms = timeout_ms, .buffer = xmalloc(HTTP_HEAD_MAX) };
        if (!read_response_head(ret, err))
                return false;
        ret->counted = ret->response.has_length && !ret->response.chunked;
        if (ret->counted)
                ret->left = ret->response.length;
        bool has_no_body = ret->response.status == 204 || ret->response.status == 304;
        ret->done = has_no_body || (ret->counted && ret->left == 0);
        return true;
}

bool http_open(const struct url *url, const struct http_request *request, struct http *ret, struct err *err) {
        *ret = (struct http){ .fd = -1 };
        auto_close int fd = -1;
        if (!connect_host(url, request, &fd, err) || !send_request(fd, url, request, err))
                return false;
        return http_receive(take_fd(fd), request->timeout_ms, ret, err); // http_close() closes it
}

void http_close(struct http *http) {
        if (http->fd >= 0)
                close(http->fd);
        free(http->buffer);
        *http = (struct http){ .fd = -1 };
}

// ---- bodies ----

// A line of the chunked coding, without its end.
static bool read_chunk_line(struct http *http, char ret[static LINE_MAX_BYTES], struct err *err) {
        for (size_t length = 0;;) {
                size_t got;
                if (http->begin == http->end) {
                        if (!fill_buffer(http, &got, err))
                                return false;
                        if (got == 0)
                                return fail(err, ERR_NETWORK, 0, "the server closed the connection inside a chunk");
                }
                char next = http->buffer[http->begin++];
                if (next == '\n') {
                        if (length > 0 && ret[length - 1] == '\r')
                                length--;
                        ret[length] = '\0';
                        return true;
                }
                if (length + 1 >= LINE_MAX_BYTES)
                        return fail(err, ERR_CORRUPT, 0, "a chunk's size is longer than %d bytes", LINE_MAX_BYTES);
                ret[length++] = next;
        }
}

// RFC 9112, section 7.1: "SIZE[;extension]", in hexadecimal; the last one is 0 and trailers follow.
static bool next_chunk(struct http *http, struct err *err) {
        char line[LINE_MAX_BYTES];
        if (http->counted) { // an empty line ends the chunk before
                if (!read_chunk_line(http, line, err))
                        return false;
                if (*line)
                        return fail(err, ERR_CORRUPT, 0, "a chunk is longer than its size");
        }
        if (!read_chunk_line(http, line, err))
                return false;
        size_t digits = strspn(line, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 15 || !strchr("; \t", line[digits]))
                return fail(err, ERR_CORRUPT, 0, "a chunk's size is not a number");
        http->left = strtoull(line, NULL, 16);
        http->counted = true;
        http->done = http->left == 0;
        return true;
}

bool http_read(struct http *http, void *buffer, size_t room, size_t *ret_size, struct err *err) {
        assert(room > 0 && http->begin <= http->end && http->end <= HTTP_HEAD_MAX);
        size_t got;
        *ret_size = 0;
        if (!http->done && http->response.chunked && http->left == 0 && !next_chunk(http, err))
                return false;
        if (http->done)
                return true;
        if (http->begin == http->end) {
                if (!fill_buffer(http, &got, err))
                        return false;
                if (got == 0 && http->counted)
                        return fail(err, ERR_NETWORK, 0, "the server closed the connection %" PRIu64 " bytes early",
                                    http->left);
                if (got == 0) {
                        http->done = true; // no length: the end of the connection is the end
                        return true;
                }
        }
        size_t size = size_min(http->end - http->begin, room);
        if (http->counted && size > http->left)
                size = (size_t)http->left;
        memcpy(buffer, http->buffer + http->begin, size);
        http->begin += size;
        if (http->counted)
                http->left -= size;
        http->done = http->counted && !http->response.chunked && http->left == 0;
        *ret_size = size;
        return true;
}
