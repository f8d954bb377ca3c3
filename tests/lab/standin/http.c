// SPDX-License-Identifier: MIT
#include "http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common.h"

enum { BODY_MAX = 1 << 20, EVENTS_KEPT = 64, ANSWER_MAX = 16 << 20 };

// ---- server ----

static struct {
        pthread_mutex_t lock;
        pthread_cond_t added;
        char *texts[EVENTS_KEPT];
        uint64_t count;
} events = { .lock = PTHREAD_MUTEX_INITIALIZER, .added = PTHREAD_COND_INITIALIZER };

struct stream {
        uint64_t next;
        struct buf pending;
};

void http_publish(const char *type, const char *data) {
        pthread_mutex_lock(&events.lock);
        char **slot = &events.texts[events.count++ % EVENTS_KEPT];
        free(*slot);
        *slot = xasprintf("event: %s\r\ndata: %s\r\n\r\n", type, data);
        pthread_cond_broadcast(&events.added);
        pthread_mutex_unlock(&events.lock);
}

// Waits up to five seconds for an event; a bare line end tells a dead peer from a quiet server.
static void collect_events(struct stream *stream) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 5;
        pthread_mutex_lock(&events.lock);
        while (stream->next >= events.count && pthread_cond_timedwait(&events.added, &events.lock, &until) == 0)
                continue;
        if (stream->next + EVENTS_KEPT < events.count)
                stream->next = events.count - EVENTS_KEPT;
        while (stream->next < events.count)
                buf_append_text(&stream->pending, events.texts[stream->next++ % EVENTS_KEPT]);
        pthread_mutex_unlock(&events.lock);
        if (stream->pending.size == 0)
                buf_append_text(&stream->pending, "\r\n");
}

static ssize_t read_stream(void *context, uint64_t position, char *block, size_t max) {
        (void)position;
        struct stream *stream = context;
        if (stream->pending.size == 0)
                collect_events(stream);
        size_t size = stream->pending.size < max ? stream->pending.size : max;
        memcpy(block, stream->pending.data, size);
        memmove(stream->pending.data, stream->pending.data + size, stream->pending.size - size);
        stream->pending.size -= size;
        return (ssize_t)size;
}

static void close_stream(void *context) {
        struct stream *stream = context;
        buf_release(&stream->pending);
        free(stream);
}

static struct MHD_Response *open_stream(void) {
        struct stream *stream = xcalloc(1, sizeof(*stream));
        pthread_mutex_lock(&events.lock);
        stream->next = events.count;
        pthread_mutex_unlock(&events.lock);
        buf_append_text(&stream->pending,
                        "event: event_stream_attached\r\ndata: {\"eventType\":\"event_stream_attached\"}\r\n\r\n");
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, stream, close_stream);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply) {
        struct MHD_Response *response =
            reply->events ? open_stream()
                          : MHD_create_response_from_buffer(reply->body ? strlen(reply->body) : 0,
                                                            reply->body ? reply->body : "", MHD_RESPMEM_MUST_COPY);
        const char *type = reply->events ? "text/event-stream" : reply->type ? reply->type : "application/json";
        MHD_add_response_header(response, "Content-Type", type);
        MHD_add_response_header(response, "Server", program_name);
        if (reply->location)
                MHD_add_response_header(response, "Location", reply->location);
        enum MHD_Result result = MHD_queue_response(connection, reply->status ? reply->status : 200, response);
        MHD_destroy_response(response);
        free(reply->body);
        free((char *)reply->location);
        return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **state) {
        (void)version;
        struct buf *body = *state;
        if (!body) {
                *state = body = xcalloc(1, sizeof(*body));
                body->max = BODY_MAX;
                return MHD_YES;
        }
        if (*data_size > 0) {
                buf_append(body, data, *data_size);
                *data_size = 0;
                return MHD_YES;
        }
        struct reply reply = { 0 };
        if (body->overflow)
                reply_text(&reply, 413, "too large\n");
        else
                ((http_handler *)context)(&(struct request){ method, url, buf_text(body) }, &reply);
        return send_reply(connection, &reply);
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code) {
        (void)context;
        (void)connection;
        (void)code;
        struct buf *body = *state;
        if (body)
                buf_release(body);
        free(body);
        *state = NULL;
}

void http_serve(const char *ip, int port, http_handler *handler) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        if (ip && *ip && inet_pton(AF_INET, ip, &address.sin_addr) != 1)
                die("'%s' is not an IPv4 address", ip);
        struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
                                                     (uint16_t)port, NULL, NULL, answer, (void *)handler,
                                                     MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_LISTENING_ADDRESS_REUSE,
                                                     1u, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
        if (!daemon)
                die("Failed to bind %s:%d: %s", ip && *ip ? ip : "*", port, strerror(errno));
}

void reply_json(struct reply *reply, unsigned status, json_t *steals) {
        reply->status = status;
        reply->body = json_dumps(steals, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(steals);
}

void reply_text(struct reply *reply, unsigned status, const char *text) {
        reply->status = status;
        reply->type = "text/plain";
        reply->body = xstrdup(text);
}

// ---- client ----

static size_t collect(char *data, size_t size, size_t count, void *context) {
        buf_append(context, data, size * count);
        return ((struct buf *)context)->overflow ? 0 : size * count;
}

bool http_send(const char *method, const char *url, json_t *body, json_t **ret_answer) {
        CURL *curl = curl_easy_init();
        auto_buf answer_text = { .max = ANSWER_MAX };
        auto_free char *body_text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Accept: application/json");
        json_decref(body);
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 2000L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer_text);
        if (body_text)
                curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body_text);
        long status = 0;
        if (curl_easy_perform(curl) == CURLE_OK)
                curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
        if (ret_answer)
                *ret_answer = json_loadb(buf_text(&answer_text), answer_text.size, 0, NULL);
        return status >= 200 && status < 300;
}

struct follower {
        void (*changed)(void *context);
        void *context;
        char first; // of the current line
        size_t length;
};

// An event is complete at its "data:" line; the rest of the syntax does not matter to somebody who only wants to know
// that something changed.
static size_t follow_lines(char *data, size_t size, size_t count, void *context) {
        struct follower *follower = context;
        for (size_t i = 0; i < size * count; i++) {
                if (data[i] == '\n') {
                        if (follower->first == 'd')
                                follower->changed(follower->context);
                        follower->length = 0;
                        follower->first = 0;
                } else if (follower->length++ == 0) {
                        follower->first = data[i];
                }
        }
        return size * count;
}

void http_follow(const char *url, void (*changed)(void *context), void *context) {
        struct follower follower = { .changed = changed, .context = context };
        CURL *curl = curl_easy_init();
        struct curl_slist *headers = curl_slist_append(NULL, "Accept: text/event-stream");
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 2000L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 30L);
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, follow_lines);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &follower);
        curl_easy_perform(curl);
        curl_easy_cleanup(curl);
        curl_slist_free_all(headers);
}
