// SPDX-License-Identifier: MIT
#include "serve/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/progress.h"
#include "serve/http_events.h"
#include "serve/http_request.h"
#include "serve/report_read.h"

enum {
        BACKLOG = 1024,
        CONNECTIONS_MAX = 8192,
        FILES_SPARE = 256,       // descriptors for all that is no connection
        CONNECTION_BYTES = 8192, // request line and headers must fit
        IDLE_S = 60,
        BODIES_MAX_BYTES = 16 << 20, // of all requests together
};

struct http_server {
        struct MHD_Daemon *daemon;
        struct rack *rack;
        struct http_watchers *watchers;
        const char *token;
        size_t body_bytes; // of all requests; atomic
};

bool http_server_bind(const struct serve_place *place, int *ret_socket, struct err *err) {
        const int on = 1;
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)place->http_port),
                                       .sin_addr = place->address };
        auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open a socket");
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0) {
                int number = errno;
                fail(err, ERR_SYSTEM, number, "listen on %s:%u for HTTP", place->text, place->http_port);
                if (number == EADDRINUSE)
                        return hint(err, "ss -ltnp tells who has the port; --http-port gives another one");
                if (number == EACCES)
                        return hint(err,
                                    "ports below 1024 need root or CAP_NET_BIND_SERVICE; --http-port gives another "
                                    "one");
                return false;
        }
        *ret_socket = take_fd(fd);
        return true;
}

static struct in_addr client_of(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        struct sockaddr_in address = { 0 };
        if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
                memcpy(&address, info->client_addr, sizeof address);
        return address.sin_addr;
}

// ---- connections ----

static enum MHD_Result on_accept(void *context, const struct sockaddr *address, socklen_t size) {
        const struct http_server *server = context;
        struct sockaddr_in client = { 0 };
        if (size < sizeof client || address->sa_family != AF_INET)
                return MHD_NO;
        memcpy(&client, address, sizeof client);
        pthread_mutex_lock(&server->rack->lock);
        bool may = clients_may_take(&server->rack->clients, CLIENT_CONNECTION, client.sin_addr.s_addr);
        pthread_mutex_unlock(&server->rack->lock);
        if (!may)
                return MHD_NO;
        return MHD_YES;
}

// Counted from the beginning to the end; what on_accept() lets in at the same moment may be one more.
static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code) {
        const struct http_server *server = context;
        struct clients *clients = &server->rack->clients;
        struct in_addr client = client_of(connection);
        pthread_mutex_lock(&server->rack->lock);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                if (clients_take(clients, CLIENT_CONNECTION, client.s_addr, monotonic_ms()))
                        *state = context;
        } else if (*state) {
                clients_give(clients, CLIENT_CONNECTION, client.s_addr);
                *state = NULL;
        }
        pthread_mutex_unlock(&server->rack->lock);
}

// Each takes a socket and a file. More than 8,192 need more descriptors than systems give without being asked.
static unsigned connections_possible(void) {
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return CONNECTIONS_MAX;
        if (limit.rlim_cur >= 2 * CONNECTIONS_MAX + FILES_SPARE)
                return CONNECTIONS_MAX;
        if (limit.rlim_cur <= 2 * FILES_SPARE)
                return FILES_SPARE / 4;
        return (unsigned)(limit.rlim_cur - FILES_SPARE) / 2;
}

void http_server_raise_limit(size_t machines) {
        const rlim_t wanted = 2 * CONNECTIONS_MAX + FILES_SPARE;
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

// ---- requests ----

static struct http_request *begin_request(struct http_server *server, struct MHD_Connection *connection,
                                          const char *method) {
        struct http_request *request = xcalloc(1, sizeof *request);
        *request = (struct http_request){
                .connection = connection,
                .rack = server->rack,
                .watchers = server->watchers,
                .token = server->token,
                .is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0,
                .client = client_of(connection),
                .body.max = REPORT_BODY_MAX,
        };
        return request;
}

static void take_request_body(struct http_server *server, struct http_request *request, const char *data, size_t size) {
        bool fits = request->body.size + size <= REPORT_BODY_MAX &&
                    __atomic_load_n(&server->body_bytes, __ATOMIC_RELAXED) + size <= BODIES_MAX_BYTES;
        if (request->is_too_large || !fits) {
                request->is_too_large = true;
                return;
        }
        __atomic_add_fetch(&server->body_bytes, size, __ATOMIC_RELAXED);
        buf_append(&request->body, data, size);
}

static bool is_api(const char *url) {
        return strcmp(url, "/") == 0 || strncmp(url, "/api/", 5) == 0 || strcmp(url, "/metrics") == 0 ||
               strcmp(url, "/report.html") == 0;
}

static enum MHD_Result answer_get(struct http_request *request) {
        if (is_api(request->url))
                return http_answer_api(request);
        return http_answer_file(request);
}

// Called once for the head of a request, then for parts of its body, then at its end.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **state) {
        struct http_server *server = context;
        (void)version;
        if (!*state) {
                *state = begin_request(server, connection, method);
                return MHD_YES;
        }
        struct http_request *request = *state;
        request->url = url;
        if (*size > 0) {
                take_request_body(server, request, data, *size);
                *size = 0;
                return MHD_YES;
        }
        if (request->is_head || strcmp(method, MHD_HTTP_METHOD_GET) == 0)
                return answer_get(request);
        if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
                return http_answer_post(request);
        return http_answer_text(request, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD and POST are what there is");
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
        struct http_server *server = context;
        struct http_request *request = *state;
        (void)connection;
        if (!request)
                return;
        bool is_done = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
        if (request->transfer)
                rack_unwatch(server->rack, request->transfer, is_done && request->is_whole);
        if (request->has_file)
                rack_close_file(server->rack, &request->file);
        __atomic_sub_fetch(&server->body_bytes, request->body.size, __ATOMIC_RELAXED);
        buf_release(&request->body);
        free(request);
        *state = NULL;
}

// What clients do wrong is no news.
static void drop_message(void *context, const char *format, va_list arguments) {
        (void)context;
        (void)format;
        (void)arguments;
}

bool http_server_start(struct rack *rack, int socket, unsigned threads, const char *token, struct http_server **ret,
                       struct err *err) {
        assert(rack && socket >= 0 && ret);
        struct http_server *server = xcalloc(1, sizeof *server);
        server->rack = rack;
        server->token = token;
        server->watchers = http_watchers_new(rack);
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
        const struct MHD_OptionItem options[] = {
                { MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)drop_message, NULL },
                { MHD_OPTION_LISTEN_SOCKET, socket, NULL },
                { MHD_OPTION_CONNECTION_LIMIT, connections_possible(), NULL },
                { MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL },
                { MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, NULL },
                { MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)size_max(threads, 2), NULL },
                { MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, server },
                { MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server },
                { MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
                { MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL },
                { MHD_OPTION_END, 0, NULL },
        };
        server->daemon = MHD_start_daemon(flags, 0, on_accept, server, on_request, server, MHD_OPTION_ARRAY, options,
                                          MHD_OPTION_END);
        if (!server->daemon) {
                http_watchers_free(server->watchers);
                free(server);
                return fail(err, ERR_SYSTEM, errno, "start the HTTP server");
        }
        *ret = server;
        return true;
}

void http_server_tick(struct http_server *server) { http_watchers_wake(server->watchers, false); }

void http_server_stop(struct http_server *server) {
        if (!server)
                return;
        // A connection that waits would keep the daemon waiting for it.
        http_watchers_wake(server->watchers, true);
        MHD_stop_daemon(server->daemon);
        http_watchers_free(server->watchers);
        free(server);
}
