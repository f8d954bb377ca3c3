// SPDX-License-Identifier: MIT
// HTTP/1.1 as iPXE and kiln-node speak it: bodies with Content-Length alone, each byte compared with what was
// published.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum {
        HEAD_MAX = 8192,
        TEXT_MAX = 1 << 20,
        BLOCK_BYTES = 256 << 10,
        TURN_BYTES = 1 << 20, // then others are served
        SILENCE_MS = 15000,
        SLOW_BYTES = 64 << 10,
        SLOW_MS = 10,
};

static char block[BLOCK_BYTES];

// ---- asking ----

static void put_request(struct http *http, const struct http_ask *ask) {
        struct buf *text = &http->request;
        const char *method = "GET", *connection = "close";
        if (ask->body)
                method = "POST";
        if (ask->keeps)
                connection = "keep-alive";
        buf_clear(text);
        buf_printf(text, "%s %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: %s\r\nConnection: %s\r\n", method, ask->path,
                   inet_ntoa(options.server), options.port, ask->agent, connection);
        if (ask->first > 0)
                buf_printf(text, "Range: bytes=%ju-\r\n", (uintmax_t)ask->first);
        if (ask->body)
                buf_printf(text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(ask->body));
        buf_append_text(text, "\r\n");
        if (ask->body)
                buf_append_text(text, ask->body);
}

static void connect_server(struct http *http, const struct http_ask *ask) {
        const int on = 1, small = SLOW_BYTES;
        const struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr = ask->from };
        const struct sockaddr_in to = { .sin_family = AF_INET,
                                        .sin_addr = options.server,
                                        .sin_port = htons((uint16_t)options.port) };
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = ask->tag };
        http->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (http->fd < 0)
                die("a socket: %s", strerror(errno));
        (void)setsockopt(http->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (ask->is_slow)
                (void)setsockopt(http->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        if (bind(http->fd, (const struct sockaddr *)&local, sizeof local) < 0 ||
            epoll_ctl(loop_epoll, EPOLL_CTL_ADD, http->fd, &event) < 0)
                die("a socket at %s: %s", inet_ntoa(ask->from), strerror(errno));
        (void)connect(http->fd, (const struct sockaddr *)&to, sizeof to); // sending says what became of it
}

// A connection that is ready says so once more.
static void arm_again(const struct http *http, uint64_t tag) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = tag };
        (void)epoll_ctl(loop_epoll, EPOLL_CTL_MOD, http->fd, &event);
}

void http_begin(struct http *http, const struct http_ask *ask) {
        bool is_kept = http->state == HTTP_IDLE && ask->keeps;
        if (!is_kept)
                http_end(http);
        put_request(http, ask);
        buf_clear(&http->head);
        buf_clear(&http->text);
        http->head.max = HEAD_MAX;
        http->text.max = TEXT_MAX;
        http->state = HTTP_SENDING;
        http->sent = 0;
        http->status = http->retry_after_s = 0;
        http->keeps = ask->keeps;
        http->is_slow = ask->is_slow;
        http->was_kept = is_kept;
        http->is_doubtful = ask->is_doubtful;
        http->is_other = false;
        http->of = ask->of;
        http->first = ask->first;
        http->left = http->total = 0;
        http->resume_ms = 0;
        http->due_ms = now_ms + SILENCE_MS;
        counts.requests++;
        if (is_kept)
                arm_again(http, ask->tag);
        else
                connect_server(http, ask);
}

void http_end(struct http *http) {
        if (http->fd > 0)
                close(http->fd);
        http->fd = 0;
        http->state = HTTP_CLOSED;
}

static enum progress give_up(struct http *http) {
        http_end(http);
        return PROGRESS_FAILED;
}

// ---- the head ----

static const char *find_header(const struct http *http, const char *name) {
        size_t size = strlen(name);
        for (const char *line = buf_text(&http->head); (line = strstr(line, "\r\n")); line += 2)
                if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':')
                        return line + 2 + size + 1 + strspn(line + 2 + size + 1, " ");
        return NULL;
}

static uint64_t header_number(const struct http *http, const char *name) {
        const char *text = find_header(http, name);
        if (!text)
                return 0;
        return strtoull(text, NULL, 10);
}

static void check_head(const struct http *http) {
        const struct published *of = http->of;
        const char *tag = find_header(http, "ETag"), *range = find_header(http, "Content-Range");
        uint64_t from = 0, last = 0, total = 0;
        if (!of || http->is_doubtful)
                return;
        if (*of->digest && (!tag || strncmp(tag + 1, of->digest, strlen(of->digest)) != 0))
                wrong("%s: the entity tag is not the digest of SHA256SUMS", of->path);
        if (http->first + http->left != of->size)
                wrong("%s: %ju bytes are announced from byte %ju on", of->path, (uintmax_t)http->left,
                      (uintmax_t)http->first);
        if (http->status == 206 && (!range || sscanf(range, "bytes %ju-%ju/%ju", &from, &last, &total) != 3 ||
                                    from != http->first || last + 1 != of->size || total != of->size))
                wrong("%s: a wrong Content-Range", of->path);
}

static bool take_head(struct http *http) {
        if (sscanf(buf_text(&http->head), "HTTP/1.1 %3u", &http->status) != 1) {
                wrong("an answer that is no HTTP");
                return false;
        }
        http->left = header_number(http, "Content-Length");
        http->retry_after_s = (unsigned)header_number(http, "Retry-After");
        if (http->status == 200)
                http->first = 0; // all of it, whatever was asked for
        if (http->status / 100 != 2)
                http->of = NULL;
        const char *connection = find_header(http, "Connection");
        if (connection && strncasecmp(connection, "close", 5) == 0)
                http->keeps = false;
        check_head(http);
        http->state = HTTP_BODY;
        return true;
}

// ---- the body ----

static bool take_body(struct http *http, const char *data, size_t size) {
        if (size > http->left) {
                wrong("more bytes than announced");
                return false;
        }
        if (!http->of) {
                buf_append(&http->text, data, size);
        } else if (http->first + size > http->of->size || memcmp(http->of->data + http->first, data, size) != 0) {
                http->is_other = true;
                if (!http->is_doubtful)
                        wrong("%s: other bytes than were published, at %ju", http->of->path, (uintmax_t)http->first);
                return false;
        }
        http->first += size;
        http->left -= size;
        counts.bytes += size;
        return true;
}

static enum progress finish(struct http *http) {
        if (http->keeps)
                http->state = HTTP_IDLE;
        else
                http_end(http);
        return PROGRESS_DONE;
}

static enum progress take_bytes(struct http *http, const char *data, size_t size) {
        if (http->state == HTTP_HEAD) {
                size_t before = http->head.size;
                buf_append(&http->head, data, size_min(size, HEAD_MAX - 1 - before));
                const char *end = strstr(buf_text(&http->head), "\r\n\r\n");
                if (!end)
                        return PROGRESS_GOING;
                size_t head_size = (size_t)(end + 4 - http->head.data);
                data += head_size - before;
                size -= head_size - before;
                http->head.size = head_size;
                http->head.data[head_size] = '\0';
                if (!take_head(http))
                        return give_up(http);
        }
        if (!take_body(http, data, size))
                return give_up(http);
        if (http->left == 0)
                return finish(http);
        return PROGRESS_GOING;
}

static enum progress receive(struct http *http) {
        size_t room = BLOCK_BYTES;
        if (http->is_slow)
                room = SLOW_BYTES;
        for (size_t turn = 0; turn < TURN_BYTES;) {
                ssize_t size = recv(http->fd, block, room, 0);
                if (size < 0 && (errno == EAGAIN || errno == EINTR))
                        return PROGRESS_GOING;
                if (size <= 0)
                        return give_up(http);
                turn += (size_t)size;
                http->due_ms = now_ms + SILENCE_MS;
                enum progress progress = take_bytes(http, block, (size_t)size);
                if (progress != PROGRESS_GOING)
                        return progress;
                if (http->is_slow) {
                        http->resume_ms = now_ms + SLOW_MS;
                        return PROGRESS_GOING;
                }
        }
        http->resume_ms = now_ms + 1; // no event says that there is more
        return PROGRESS_GOING;
}

static bool send_rest(struct http *http) {
        while (http->sent < http->request.size) {
                ssize_t size =
                    send(http->fd, http->request.data + http->sent, http->request.size - http->sent, MSG_NOSIGNAL);
                if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS))
                        return true;
                if (size < 0)
                        return false;
                http->sent += (size_t)size;
        }
        http->state = HTTP_HEAD;
        return true;
}

enum progress http_event(struct http *http) {
        if (http->state == HTTP_IDLE) { // the server has enough of it
                http_end(http);
                return PROGRESS_GOING;
        }
        if (http->fd <= 0 || http->resume_ms > now_ms)
                return PROGRESS_GOING;
        if (http->state == HTTP_SENDING && !send_rest(http))
                return give_up(http);
        if (http->state == HTTP_SENDING)
                return PROGRESS_GOING;
        return receive(http);
}

enum progress http_tick(struct http *http) {
        if (http->fd <= 0 || http->state == HTTP_IDLE)
                return PROGRESS_GOING;
        if (now_ms >= http->due_ms)
                return give_up(http);
        if (http->resume_ms > 0 && now_ms >= http->resume_ms) {
                http->resume_ms = 0;
                return receive(http);
        }
        return PROGRESS_GOING;
}
