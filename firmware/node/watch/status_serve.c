// SPDX-License-Identifier: MIT
#include "firmware/node/watch/status_serve.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/watch/status_answer.h"

enum { CLIENTS_MAX = 16, CLIENT_MS = 5000, ANSWER_MS = 1000, WAIT_MS = 1000, LISTEN_FD = 3 };

struct client {
        int fd; // -1: none
        int64_t since_ms;
        size_t asked, sent;
        struct buf response; // empty: its request is read
        char request[STATUS_REQUEST_MAX];
};

struct server {
        int root;
        int64_t looked_ms; // when `answer` was made
        struct buf answer;
        struct client clients[CLIENTS_MAX];
};

static void end_client(struct client *client) {
        if (client->fd >= 0)
                close(client->fd);
        client->fd = -1;
        buf_release(&client->response);
}

// A place for one more: an empty one, or that of whoever is here longest.
static struct client *make_room(struct server *server) {
        struct client *oldest = &server->clients[0];
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
                struct client *client = &server->clients[i];
                if (client->fd < 0)
                        return client;
                if (client->since_ms < oldest->since_ms)
                        oldest = client;
        }
        end_client(oldest);
        return oldest;
}

static void take_client(struct server *server, int listener) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
                return; // it went away, or the next look finds it
        struct client *client = make_room(server);
        client->fd = fd;
        client->since_ms = clock_now_ms();
        client->asked = 0;
        client->sent = 0;
}

static const struct buf *look(struct server *server) {
        int64_t now = clock_now_ms();
        if (server->answer.size == 0 || now - server->looked_ms > ANSWER_MS) {
                buf_clear(&server->answer);
                status_answer(server->root, &server->answer);
                server->looked_ms = clock_now_ms();
        }
        return &server->answer;
}

static void read_question(struct server *server, struct client *client) {
        ssize_t got = read(client->fd, client->request + client->asked, sizeof client->request - client->asked);
        bool is_later = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (is_later)
                return;
        if (got <= 0) {
                end_client(client);
                return;
        }
        client->asked += (size_t)got;
        (void)!status_respond(client->request, client->asked, look(server), &client->response);
}

// A client that has all of it closes the connection; who does not is closed by its time.
static void send_response(struct client *client) {
        const char *text = buf_text(&client->response);
        ssize_t sent = send(client->fd, text + client->sent, client->response.size - client->sent, MSG_NOSIGNAL);
        bool is_later = sent < 0 && (errno == EAGAIN || errno == EINTR);
        if (is_later)
                return;
        if (sent > 0)
                client->sent += (size_t)sent;
        if (sent < 0 || client->sent == client->response.size)
                end_client(client);
}

static void serve_client(struct server *server, struct client *client, short events) {
        bool is_reading = client->response.size == 0;
        if (is_reading && events)
                read_question(server, client);
        if (client->fd >= 0 && client->response.size > 0)
                send_response(client);
}

static bool serve_once(struct server *server, int listener, bool *ret_busy, struct err *err) {
        struct pollfd polls[CLIENTS_MAX + 1] = { { .fd = listener, .events = POLLIN } };
        *ret_busy = false;
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
                const struct client *client = &server->clients[i];
                polls[i + 1] = (struct pollfd){ .fd = client->fd, .events = POLLIN };
                if (client->response.size > 0)
                        polls[i + 1].events = POLLOUT;
        }
        if (poll(polls, lengthof(polls), WAIT_MS) < 0 && errno != EINTR)
                return fail(err, ERR_SYSTEM, errno, "wait for clients");
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
                struct client *client = &server->clients[i];
                if (client->fd >= 0)
                        serve_client(server, client, polls[i + 1].revents);
                if (client->fd >= 0 && clock_now_ms() - client->since_ms > CLIENT_MS)
                        end_client(client);
                *ret_busy = *ret_busy || client->fd >= 0;
        }
        if (polls[0].revents) {
                take_client(server, listener);
                *ret_busy = true;
        }
        return true;
}

bool status_serve(int root, int listener, int idle_ms, struct err *err) {
        assert(root >= 0 && listener >= 0);
        auto_free struct server *server = xcalloc(1, sizeof *server);
        int64_t last_ms = clock_now_ms();
        bool is_busy, ok;
        server->root = root;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                server->clients[i].fd = -1;
        while ((ok = serve_once(server, listener, &is_busy, err))) {
                if (is_busy)
                        last_ms = clock_now_ms();
                if (idle_ms >= 0 && clock_now_ms() - last_ms > idle_ms)
                        break;
        }
        for (size_t i = 0; i < CLIENTS_MAX; i++)
                end_client(&server->clients[i]);
        buf_release(&server->answer);
        return ok;
}

static bool take_given(int *ret, struct err *err) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
        bool is_given = pid && count && strtol(pid, NULL, 10) == getpid() && strcmp(count, "1") == 0;
        if (!is_given)
                return fail(err, ERR_USAGE, 0, "serve-status: systemd gives no socket, and no PORT is said");
        int flags = fcntl(LISTEN_FD, F_GETFL);
        bool is_set = flags >= 0 && fcntl(LISTEN_FD, F_SETFL, flags | O_NONBLOCK) == 0 &&
                      fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC) == 0;
        *ret = LISTEN_FD;
        return is_set || fail(err, ERR_SYSTEM, errno, "take systemd's socket");
}

bool status_listen(const char *port, int *ret, struct err *err) {
        struct sockaddr_in here = { .sin_family = AF_INET };
        int yes = 1;
        if (!port)
                return take_given(ret, err);
        char *end;
        unsigned long number = strtoul(port, &end, 10);
        if (*port < '0' || *port > '9' || *end || number == 0 || number > UINT16_MAX)
                return fail(err, ERR_USAGE, 0, "PORT: \"%s\" is no number from 1 to 65535", port);
        here.sin_port = htons((uint16_t)number);
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        bool is_bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                        bind(fd, (const struct sockaddr *)&here, sizeof here) == 0 && listen(fd, SOMAXCONN) == 0;
        if (!is_bound)
                return fail(err, ERR_SYSTEM, errno, "listen on port %s", port);
        *ret = take_fd(fd);
        return true;
}
