// SPDX-License-Identifier: MIT
#include "serve/http_server.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "http/http_daemon.h"
#include "http/http_range.h"
#include "http/http_reply.h"
#include "serve/fleet_lock.h"
#include "serve/http_events.h"
#include "serve/http_request.h"
#include "serve/report_read.h"

enum {
        CONNECTION_BYTES = 8192,
        BODIES_MAX_BYTES = 16 << 20, // of all requests together
};

struct http_server {
        struct http_daemon *daemon;
        struct rack *rack;
        struct http_watchers *watchers;
        const char *token;
        size_t body_bytes; // of all requests; atomic
};

static struct http_request *begin_request(struct http_server *server, struct MHD_Connection *connection,
                                          const char *method) {
        struct http_request *request = xcalloc(1, sizeof *request);
        *request = (struct http_request){
                .connection = connection,
                .rack = server->rack,
                .watchers = server->watchers,
                .token = server->token,
                .is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0,
                .client = http_client_of(connection),
                .body.max = REPORT_BODY_MAX,
        };
        return request;
}

static void drop_request_body(struct http_server *server, struct http_request *request) {
        __atomic_sub_fetch(&server->body_bytes, request->body.size, __ATOMIC_RELAXED);
        buf_release(&request->body);
}

// What will not be read whole is not kept: others have the room. A body that is itself too large never fits, and one
// that found no room beside others is welcome later: they are answered differently.
static void take_request_body(struct http_server *server, struct http_request *request, const char *data, size_t size) {
        if (request->is_too_large || request->is_pushed_out)
                return;
        request->is_too_large = request->body.size + size > REPORT_BODY_MAX;
        size_t together = __atomic_add_fetch(&server->body_bytes, size, __ATOMIC_RELAXED);
        request->is_pushed_out = !request->is_too_large && together > BODIES_MAX_BYTES;
        if (request->is_too_large || request->is_pushed_out) {
                __atomic_sub_fetch(&server->body_bytes, size, __ATOMIC_RELAXED);
                drop_request_body(server, request);
                return;
        }
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
        request->url = http_target_path(url, request->host, sizeof request->host);
        if (*size > 0) {
                take_request_body(server, request, data, *size);
                *size = 0;
                return MHD_YES;
        }
        if (request->is_head || strcmp(method, MHD_HTTP_METHOD_GET) == 0)
                return answer_get(request);
        if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
                return http_answer_post(request);
        return http_reply_method(connection, "GET, HEAD, POST");
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
        drop_request_body(server, request);
        buf_release(&request->fleet_why);
        free(request);
        *state = NULL;
}

bool http_server_start(struct rack *rack, int socket, unsigned threads, const char *token, struct http_server **ret,
                       struct err *err) {
        assert(rack && socket >= 0 && ret);
        struct http_server *server = xcalloc(1, sizeof *server);
        server->rack = rack;
        server->token = token;
        server->watchers = http_watchers_new(rack);
        const struct http_daemon_options options = {
                .socket = socket,
                .threads = threads,
                .connections_max = HTTP_CONNECTIONS_MAX,
                .connection_bytes = CONNECTION_BYTES,
                .context = server,
                .request = on_request,
                .completed = on_completed,
                .clients = &rack->clients,
                .lock = &rack->lock,
        };
        if (!http_daemon_start(&options, &server->daemon, err)) {
                http_watchers_free(server->watchers);
                free(server);
                return false;
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
        fleet_lock_end();
        http_daemon_stop(server->daemon);
        http_watchers_free(server->watchers);
        free(server);
}
