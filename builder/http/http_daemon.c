// SPDX-License-Identifier: MIT
#include "http/http_daemon.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/progress.h"

enum {
        BACKLOG = 1024,
        FILES_SPARE = 256, // descriptors for all that is no connection
        IDLE_S = 60,
        THREADS_LEAST = 2,
};

struct http_daemon {
        struct MHD_Daemon *daemon;
        struct clients *clients;
        pthread_mutex_t *lock;
};

bool http_listen(struct in_addr address, unsigned port, const char *option, int *ret_socket, struct err *err) {
        assert(option && ret_socket && port <= UINT16_MAX);
        const int on = 1;
        struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = address };
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a socket");
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&place, sizeof place) < 0 || listen(fd, BACKLOG) < 0) {
                int number = errno;
                char text[INET_ADDRSTRLEN] = "";
                (void)inet_ntop(AF_INET, &address, text, sizeof text);
                fail(err, ERR_SYSTEM, number, "listen on %s:%u for HTTP", text, port);
                if (number == EADDRINUSE)
                        return hint(err, "ss -ltnp tells who has the port; %s gives another one", option);
                if (number == EACCES)
                        return hint(err, "ports below 1024 need root or CAP_NET_BIND_SERVICE; %s gives another one",
                                    option);
                return false;
        }
        *ret_socket = take_fd(fd);
        return true;
}

struct in_addr http_client_of(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        struct sockaddr_in address = { 0 };
        if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
                memcpy(&address, info->client_addr, sizeof address);
        return address.sin_addr;
}

// ---- connections ----

static enum MHD_Result on_accept(void *context, const struct sockaddr *address, socklen_t size) {
        const struct http_daemon *daemon = context;
        struct sockaddr_in client = { 0 };
        if (size < sizeof client || address->sa_family != AF_INET)
                return MHD_NO;
        memcpy(&client, address, sizeof client);
        pthread_mutex_lock(daemon->lock);
        bool may = clients_may_take(daemon->clients, CLIENT_CONNECTION, client.sin_addr.s_addr);
        pthread_mutex_unlock(daemon->lock);
        if (!may)
                return MHD_NO;
        return MHD_YES;
}

// Counted from the beginning to the end; what on_accept() lets in at the same moment may be one more.
static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code) {
        const struct http_daemon *daemon = context;
        struct in_addr client = http_client_of(connection);
        pthread_mutex_lock(daemon->lock);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                if (clients_take(daemon->clients, CLIENT_CONNECTION, client.s_addr, monotonic_ms()))
                        *state = context;
        } else if (*state) {
                clients_give(daemon->clients, CLIENT_CONNECTION, client.s_addr);
                *state = NULL;
        }
        pthread_mutex_unlock(daemon->lock);
}

// Each takes a socket and a file. More than 8,192 need more descriptors than systems give without being asked.
static unsigned connections_possible(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return HTTP_CONNECTIONS_MAX;
        if (limit.rlim_cur >= 2 * HTTP_CONNECTIONS_MAX + FILES_SPARE)
                return HTTP_CONNECTIONS_MAX;
        if (limit.rlim_cur <= 2 * FILES_SPARE)
                return FILES_SPARE / 4;
        return (unsigned)(limit.rlim_cur - FILES_SPARE) / 2;
}

void http_raise_limit(size_t machines) {
        const rlim_t wanted = 2 * HTTP_CONNECTIONS_MAX + FILES_SPARE;
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        struct rlimit raised = { .rlim_cur = wanted, .rlim_max = wanted };
        if (limit.rlim_max >= wanted)
                raised.rlim_max = limit.rlim_max;
        if (limit.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &raised) < 0) { // who is no superuser
                raised.rlim_cur = raised.rlim_max = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        if (connections_possible() < machines)
                warning("%u connections at once are possible, and there are %zu machines: raise LimitNOFILE or ulimit "
                        "-n to %ju",
                        connections_possible(), machines, (uintmax_t)(2 * machines + FILES_SPARE));
}

// ---- the daemon ----

// What clients do wrong is no news.
static void drop_message(void *context, const char *format, va_list arguments) {
        (void)context;
        (void)format;
        (void)arguments;
}

bool http_daemon_start(const struct http_daemon_options *options, struct http_daemon **ret, struct err *err) {
        assert(options->socket >= 0 && options->request && options->completed && options->clients && options->lock);
        struct http_daemon *daemon = xcalloc(1, sizeof *daemon);
        *daemon = (struct http_daemon){ .clients = options->clients, .lock = options->lock };
        size_t connections = size_min(options->connections_max, connections_possible());
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
        const struct MHD_OptionItem items[] = {
                { MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)drop_message, NULL },
                { MHD_OPTION_LISTEN_SOCKET, options->socket, NULL },
                { MHD_OPTION_CONNECTION_LIMIT, (intptr_t)connections, NULL },
                { MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL },
                { MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)options->connection_bytes, NULL },
                { MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)size_max(options->threads, THREADS_LEAST), NULL },
                { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)options->completed, options->context },
                { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, daemon },
                { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
                { MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL },
                { MHD_OPTION_END, 0, NULL },
        };
        daemon->daemon = MHD_start_daemon(flags, 0, on_accept, daemon, options->request, options->context,
                                          MHD_OPTION_ARRAY, items, MHD_OPTION_END);
        if (!daemon->daemon) {
                int number = errno;
                free(daemon);
                return fail(err, ERR_SYSTEM, number, "start the HTTP server");
        }
        *ret = daemon;
        return true;
}

void http_daemon_stop(struct http_daemon *daemon) {
        if (!daemon)
                return;
        MHD_stop_daemon(daemon->daemon);
        free(daemon);
}
