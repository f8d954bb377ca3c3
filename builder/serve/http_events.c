// SPDX-License-Identifier: MIT
#include "serve/http_events.h"

#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "serve/http_request.h"
#include "serve/state_json.h"

enum { WATCHERS_MAX = 128, BLOCK_BYTES = 16384, HEARTBEAT_MS = 15000 };

struct watcher {
        struct http_watchers *all;
        struct MHD_Connection *connection;
        struct in_addr client;
        uint64_t seen; // version of the state
        struct buf text;
        size_t at; // what of the text is sent
        int64_t sent_ms;
        bool is_suspended;
        struct watcher *next;
};

struct http_watchers {
        struct rack *rack;
        struct watcher *first; // under the rack's lock, like all of it
        size_t count;
        bool is_end;
};

struct http_watchers *http_watchers_new(struct rack *rack) {
        struct http_watchers *watchers = xcalloc(1, sizeof *watchers);
        watchers->rack = rack;
        return watchers;
}

void http_watchers_free(struct http_watchers *watchers) { free(watchers); }

void http_watchers_wake(struct http_watchers *watchers, bool is_end) {
        int64_t now_ms = monotonic_ms();
        pthread_mutex_lock(&watchers->rack->lock);
        watchers->is_end |= is_end;
        for (struct watcher *watcher = watchers->first; watcher; watcher = watcher->next) {
                bool has_news =
                    watcher->seen < watchers->rack->state->version || now_ms - watcher->sent_ms > HEARTBEAT_MS;
                if (!watcher->is_suspended || !(has_news || watchers->is_end))
                        continue;
                watcher->is_suspended = false;
                MHD_resume_connection(watcher->connection);
        }
        pthread_mutex_unlock(&watchers->rack->lock);
}

// Puts what is new into the text. The rack is locked.
static void collect_news(struct watcher *watcher) {
        const struct rack *rack = watcher->all->rack;
        int64_t now_ms = monotonic_ms();
        buf_clear(&watcher->text);
        watcher->at = 0;
        if (watcher->seen < rack->state->version) {
                buf_append_text(&watcher->text, "data: ");
                state_json_changes(rack, watcher->seen, &watcher->text);
                buf_append_text(&watcher->text, "\n\n");
                watcher->seen = rack->state->version;
                watcher->sent_ms = now_ms;
        } else if (now_ms - watcher->sent_ms > HEARTBEAT_MS) {
                buf_append_text(&watcher->text, ":\n\n");
                watcher->sent_ms = now_ms;
        }
}

static ssize_t read_events(void *context, uint64_t position, char *to, size_t room) {
        struct watcher *watcher = context;
        (void)position;
        pthread_mutex_lock(&watcher->all->rack->lock);
        bool is_end = watcher->all->is_end;
        if (!is_end && watcher->at == watcher->text.size)
                collect_news(watcher);
        bool must_wait = !is_end && watcher->text.size == 0;
        if (must_wait) {
                watcher->is_suspended = true;
                MHD_suspend_connection(watcher->connection);
        }
        pthread_mutex_unlock(&watcher->all->rack->lock);
        if (is_end)
                return MHD_CONTENT_READER_END_OF_STREAM;
        size_t size = size_min(room, watcher->text.size - watcher->at);
        memcpy(to, buf_text(&watcher->text) + watcher->at, size);
        watcher->at += size;
        return (ssize_t)size;
}

static void free_watcher(void *context) {
        struct watcher *watcher = context;
        struct http_watchers *all = watcher->all;
        pthread_mutex_lock(&all->rack->lock);
        struct watcher **at = &all->first;
        while (*at && *at != watcher)
                at = &(*at)->next;
        if (*at)
                *at = watcher->next;
        all->count--;
        clients_give(&all->rack->clients, CLIENT_WATCHER, watcher->client.s_addr);
        pthread_mutex_unlock(&all->rack->lock);
        buf_release(&watcher->text);
        free(watcher);
}

static struct watcher *add_watcher(struct http_request *request) {
        struct http_watchers *all = request->watchers;
        struct watcher *watcher = NULL;
        pthread_mutex_lock(&all->rack->lock);
        bool has_room = all->count < WATCHERS_MAX && !all->is_end;
        struct clients *clients = &all->rack->clients;
        if (has_room && clients_take(clients, CLIENT_WATCHER, request->client.s_addr, monotonic_ms())) {
                watcher = xcalloc(1, sizeof *watcher);
                *watcher = (struct watcher){
                        .all = all, .connection = request->connection, .client = request->client, .next = all->first
                };
                all->first = watcher;
                all->count++;
        }
        pthread_mutex_unlock(&all->rack->lock);
        return watcher;
}

enum MHD_Result http_answer_events(struct http_request *request) {
        struct watcher *watcher = add_watcher(request);
        if (!watcher)
                return http_answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many watch already");
        struct MHD_Response *response =
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_events, watcher, free_watcher);
        if (!response) {
                free_watcher(watcher);
                return MHD_NO;
        }
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        return http_answer(request, MHD_HTTP_OK, response);
}
