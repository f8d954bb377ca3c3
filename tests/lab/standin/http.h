// SPDX-License-Identifier: MIT
// A small HTTP server (libmicrohttpd, a thread a connection) and client (libcurl) with JSON bodies.
#ifndef KILN_STANDIN_HTTP_H
#define KILN_STANDIN_HTTP_H

#include <jansson.h>
#include <stdbool.h>

struct request {
        const char *method, *path; // path without query
        const char *body;          // never NULL
};

struct reply {
        unsigned status;      // 200 unless set
        char *body;           // heap; NULL: empty
        const char *type;     // "application/json" unless set
        const char *location; // heap, for redirections; or NULL
        bool events;          // an endless text/event-stream of http_publish()
};

typedef void http_handler(const struct request *request, struct reply *reply);

// Dies when the address cannot be bound. An `ip` of NULL or "" is every address.
void http_serve(const char *ip, int port, http_handler *handler);

void reply_json(struct reply *reply, unsigned status, json_t *steals);
void reply_text(struct reply *reply, unsigned status, const char *text);

// Sends an event to every open stream.
void http_publish(const char *type, const char *data);

// Sends `body` (NULL: none; steals it) and parses the answer. `*ret_answer` (may be NULL) is set if it was JSON. True
// for a 2xx status.
bool http_send(const char *method, const char *url, json_t *body, json_t **ret_answer);

// Follows an event stream until it breaks; `changed` is called once for each event.
void http_follow(const char *url, void (*changed)(void *context), void *context);

#endif
