// SPDX-License-Identifier: MIT
// Requests. Of a PUT that is refused, the body is taken and dropped, so that the client, or a proxy in front of this,
// hears why before it hears that nobody listens; that of one beyond all measure ends with the connection, behind the
// answer.
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/progress.h"
#include "cache_server/internal.h"
#include "http/http_daemon.h"
#include "http/http_range.h"
#include "http/http_reply.h"
#include "http/http_token.h"
#include "http/standing.h"
#include "remote/action.h"

enum {
        CONNECTIONS_MAX = 2048,
        CONNECTION_BYTES = 64 << 10,
        DROPPED_MAX = 1 << 30, // of a body that is not wanted
};

struct cache_request {
        struct cache_request *next; // of those that move something
        struct cache_server *server;
        struct MHD_Connection *connection;
        bool is_head, is_put, has_length;
        uint64_t size_bytes, taken_bytes; // of a PUT
        struct store_upload *upload;
        unsigned refusal; // a status, for when the body is over
        char *reason;
        bool is_reading, is_moving;
        struct store_reading reading;
        uint64_t sends_bytes;
        struct standing standing;
};

static void count(uint64_t *counter, uint64_t by) { __atomic_add_fetch(counter, by, __ATOMIC_RELAXED); }

static const char *header_of(const struct cache_request *request, const char *name) {
        return http_header_of(request->connection, name);
}

// ---- what moves ----

static void begin_moving(struct cache_request *request) {
        struct cache_server *server = request->server;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (!info)
                return;
        standing_begin(&request->standing, info->connect_fd, monotonic_ms());
        request->is_moving = true;
        pthread_mutex_lock(&server->lock);
        request->next = server->requests;
        server->requests = request;
        pthread_mutex_unlock(&server->lock);
}

static void end_moving(struct cache_request *request) {
        struct cache_server *server = request->server;
        if (!request->is_moving)
                return;
        pthread_mutex_lock(&server->lock);
        struct cache_request **at = &server->requests;
        while (*at != request)
                at = &(*at)->next;
        *at = request->next;
        pthread_mutex_unlock(&server->lock);
}

// libmicrohttpd does not notice an end that comes together with the last bytes before it (epoll(7), edges).
static void look_at_end(const struct cache_request *request) {
        bool is_done =
            !request->is_put || __atomic_load_n(&request->taken_bytes, __ATOMIC_RELAXED) == request->size_bytes;
        if (!is_done && socket_is_at_end(request->standing.socket))
                (void)shutdown(request->standing.socket, SHUT_RDWR);
}

void cache_http_tick(struct cache_server *server, int64_t now_ms) {
        pthread_mutex_lock(&server->lock);
        for (struct cache_request *request = server->requests; request; request = request->next) {

                standing_look(&request->standing, now_ms);
                look_at_end(request);
        }
        pthread_mutex_unlock(&server->lock);
}

// ---- GET and HEAD ----

static enum MHD_Result reply_buf(const struct cache_request *request, const char *type, struct buf *body) {
        struct MHD_Response *response =
            MHD_create_response_from_buffer(body->size, (void *)buf_text(body), MHD_RESPMEM_MUST_COPY);
        if (response) {
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
        }
        return http_reply(request->connection, MHD_HTTP_OK, response);
}

static enum MHD_Result reply_absent(const struct cache_request *request) {
        return http_reply_text(request->connection, MHD_HTTP_NOT_FOUND, "it is not here");
}

static enum MHD_Result send_content(struct cache_request *request, const struct store_name *name) {
        auto_free char *tag = xasprintf("\"%s\"", name->hex);
        struct http_part part;
        const struct http_content content = {
                .fd = &request->reading.fd,
                .size_bytes = request->reading.size_bytes,
                .type = "application/octet-stream",
                .cache_control = "public, max-age=31536000, immutable",
                .tag = tag,
                .is_head = request->is_head,
        };
        enum MHD_Result result = http_reply_content(request->connection, &content, &part);
        if (!request->is_head)
                request->sends_bytes = part.count;
        return result;
}

static enum MHD_Result answer_entry(struct cache_request *request, const struct store_name *name) {
        struct cache_server *server = request->server;
        auto_buf text = { .max = STORE_AC_MAX };
        bool is_text = name->kind == STORE_AC;
        bool is_there;
        if (is_text) {
                is_there = store_read_text(server->store, name, &text);
        } else {
                is_there = store_read(server->store, name, &request->reading);
                request->is_reading = is_there;
        }
        if (!is_there) {
                count(&server->counts.misses, 1);
                return reply_absent(request);
        }
        count(&server->counts.hits, 1);
        if (is_text)
                return reply_buf(request, "application/octet-stream", &text);
        begin_moving(request);
        return send_content(request, name);
}

static enum MHD_Result answer_cache_get(struct cache_request *request, const char *url) {
        struct store_name name;
        auto_buf text = { 0 };
        if (store_name_parse(url, &name))
                return answer_entry(request, &name);
        if (strcmp(url, "/metrics") == 0) {
                cache_metrics(request->server, &text);
                return reply_buf(request, "text/plain; version=0.0.4; charset=utf-8", &text);
        }
        if (strcmp(url, "/") == 0) {
                cache_status_line(request->server, &text);
                return reply_buf(request, "text/plain; charset=utf-8", &text);
        }
        return reply_absent(request);
}

// ---- PUT ----

// The first reason is the one to tell.
static void refuse(struct cache_request *request, unsigned status, const char *reason) {
        if (request->refusal)
                return;
        request->refusal = status;
        request->reason = xstrdup(reason);
        store_upload_end(take_ptr(request->upload));
        count(&request->server->counts.refused, 1);
}

static void refuse_for(struct cache_request *request, const struct err *error) {
        unsigned status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        if (error->kind == ERR_CHECKSUM)
                status = MHD_HTTP_UNPROCESSABLE_CONTENT;
        if (error->kind == ERR_DISK_FULL)
                status = MHD_HTTP_INSUFFICIENT_STORAGE;
        if (status == MHD_HTTP_INTERNAL_SERVER_ERROR)
                warning("an upload failed: %s", error->text);
        refuse(request, status, error->text);
}

static enum MHD_Result count_length(void *context, enum MHD_ValueKind kind, const char *name, const char *value) {
        size_t *lengths = context;
        (void)kind;
        (void)value;
        *lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
        return MHD_YES;
}

// One, of digits alone: a proxy in front of this must not take another one for the length.
static bool read_length(const struct cache_request *request, uint64_t *ret) {
        const char *length = header_of(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
        size_t lengths = 0;
        (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_length, &lengths);
        if (lengths != 1 || header_of(request, MHD_HTTP_HEADER_TRANSFER_ENCODING))
                return false;
        size_t digits = strspn(length, "0123456789");
        if (digits == 0 || length[digits])
                return false;
        errno = 0;
        *ret = strtoull(length, NULL, 10);
        return errno == 0;
}

static uint64_t most_bytes(const struct cache_server *server, enum store_kind kind) {
        struct store_totals totals;
        if (kind == STORE_AC)
                return STORE_AC_MAX;
        store_count(server->store, &totals);
        if (totals.limit_bytes > 0 && totals.limit_bytes < action_content_max_bytes)
                return totals.limit_bytes;
        return action_content_max_bytes;
}

static void judge_put(struct cache_request *request, const char *url) {
        const struct cache_server *server = request->server;
        struct store_name name;
        auto_err error = { 0 };
        request->has_length = read_length(request, &request->size_bytes);
        if (!server->token)
                refuse(request, MHD_HTTP_FORBIDDEN, "this cache is only read: it was started without --token-file");
        else if (!http_token_matches(header_of(request, MHD_HTTP_HEADER_AUTHORIZATION), server->token))
                refuse(request, MHD_HTTP_UNAUTHORIZED, "this needs the token: Authorization: Bearer TOKEN");
        else if (!store_name_parse(url, &name))
                refuse(request, MHD_HTTP_NOT_FOUND, "/cas/SHA256 and /ac/KEY are what there is");
        else if (!request->has_length)
                refuse(request, MHD_HTTP_LENGTH_REQUIRED, "how long it is must be said, once: Content-Length");
        else if (header_of(request, MHD_HTTP_HEADER_CONTENT_RANGE))
                refuse(request, MHD_HTTP_BAD_REQUEST, "an entry is sent as a whole");
        else if (request->size_bytes > most_bytes(server, name.kind))
                refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "it is larger than what is kept here");
        else if (!store_can_hold(server->store, request->size_bytes))
                refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, "the disk has no room for it, whatever went");
        else if (!store_upload_begin(server->store, &name, &request->upload, &error))
                refuse_for(request, &error);
}

static enum MHD_Result answer_refused(const struct cache_request *request) {
        struct MHD_Response *response =
            MHD_create_response_from_buffer(strlen(request->reason), request->reason, MHD_RESPMEM_MUST_COPY);
        if (response)
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
        if (response && request->refusal == MHD_HTTP_UNAUTHORIZED)
                MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"kiln\"");
        return http_reply(request->connection, request->refusal, response);
}

// An answer to the head alone ends the connection behind it.
static enum MHD_Result begin_put(struct cache_request *request, const char *url) {
        judge_put(request, url);
        bool is_worth_taking = request->has_length && request->size_bytes <= DROPPED_MAX;
        if (request->refusal && !is_worth_taking)
                return answer_refused(request);
        begin_moving(request);
        return MHD_YES;
}

static void take_put_body(struct cache_request *request, const char *data, size_t size) {
        auto_err error = { 0 };
        __atomic_add_fetch(&request->taken_bytes, size, __ATOMIC_RELAXED);
        count(&request->server->counts.received_bytes, size);
        if (request->refusal)
                return;
        bool is_longer = request->taken_bytes > request->size_bytes;
        if (is_longer)
                refuse(request, MHD_HTTP_BAD_REQUEST, "it is longer than was said");
        else if (!store_upload_add(request->upload, data, size, &error))
                refuse_for(request, &error);
}

static enum MHD_Result end_put(struct cache_request *request) {
        auto_err error = { 0 };
        bool is_new = false;
        if (!request->refusal && request->taken_bytes != request->size_bytes)
                refuse(request, MHD_HTTP_BAD_REQUEST, "it is shorter than was said");
        if (!request->refusal && !store_upload_finish(request->upload, &is_new, &error))
                refuse_for(request, &error);
        if (request->refusal)
                return answer_refused(request);
        if (!is_new) {
                count(&request->server->counts.there, 1);
                return http_reply_text(request->connection, MHD_HTTP_OK, "it was there already");
        }
        count(&request->server->counts.uploads, 1);
        return http_reply_text(request->connection, MHD_HTTP_CREATED, "kept");
}

// ---- a request ----

static struct cache_request *begin_cache_request(struct cache_server *server, struct MHD_Connection *connection,
                                                 const char *method) {
        struct cache_request *request = xcalloc(1, sizeof *request);
        *request = (struct cache_request){
                .server = server,
                .connection = connection,
                .is_head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0,
                .is_put = strcmp(method, MHD_HTTP_METHOD_PUT) == 0,
                .reading.fd = -1,
        };
        return request;
}

// Called once for the head of a request, then for parts of its body, then at its end.
static enum MHD_Result on_cache_request(void *context, struct MHD_Connection *connection, const char *url,
                                        const char *method, const char *version, const char *data, size_t *size,
                                        void **state) {
        struct cache_request *request = *state;
        (void)version;
        url = http_target_path(url, NULL, 0);
        if (!request) {
                *state = request = begin_cache_request(context, connection, method);
                return request->is_put ? begin_put(request, url) : MHD_YES;
        }
        if (*size > 0) {
                if (request->is_put)
                        take_put_body(request, data, *size);
                *size = 0;
                return MHD_YES;
        }
        if (request->is_put)
                return end_put(request);
        if (request->is_head || strcmp(method, MHD_HTTP_METHOD_GET) == 0)
                return answer_cache_get(request, url);
        return http_reply_method(connection, "GET, HEAD, PUT");
}

static void on_cache_completed(void *context, struct MHD_Connection *connection, void **state,
                               enum MHD_RequestTerminationCode code) {
        struct cache_server *server = context;
        struct cache_request *request = *state;
        (void)connection;
        if (!request)
                return;
        end_moving(request);
        if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
                count(&server->counts.sent_bytes, request->sends_bytes);
        if (request->is_reading)
                store_read_end(server->store, &request->reading);
        store_upload_end(request->upload);
        free(request->reason);
        free(request);
        *state = NULL;
}

bool cache_http_start(struct cache_server *server, int socket, unsigned threads, struct err *err) {
        assert(server && server->store && socket >= 0);
        const struct http_daemon_options options = {
                .socket = socket,
                .threads = threads,
                .connections_max = CONNECTIONS_MAX,
                .connection_bytes = CONNECTION_BYTES,
                .context = server,
                .request = on_cache_request,
                .completed = on_cache_completed,
                .clients = &server->clients,
                .lock = &server->lock,
        };
        return http_daemon_start(&options, &server->http, err);
}
