// SPDX-License-Identifier: MIT
// A request that is being answered: what the files of this folder that answer HTTP share.
#ifndef KILN_SERVE_HTTP_REQUEST_H
#define KILN_SERVE_HTTP_REQUEST_H

#include <microhttpd.h>

#include "base/buf.h"
#include "serve/rack.h"

struct http_watchers;

// Of FleetLock: whether a machine may boot.
enum fleet_verdict {
        FLEET_NONE,
        FLEET_JUDGED, // it is being judged, and the connection is suspended
        FLEET_GRANTED,
        FLEET_TAKEN,   // another one has the slot, or is being judged
        FLEET_REFUSED, // because of the cluster
        FLEET_BROKEN,
};

struct http_request {
        struct MHD_Connection *connection;
        struct rack *rack;
        struct http_watchers *watchers;
        const char *token; // NULL: nobody may change anything
        const char *url;   // its path
        char host[256];    // that an absolute target named; "": it was none
        bool is_head;
        struct in_addr client;
        // What is let go of when the connection is done with it.
        struct buf body;
        bool is_too_large;
        bool is_pushed_out; // bodies of other requests had all the memory there is for them
        bool has_file;
        struct rack_file file;
        struct rack_transfer *transfer;
        bool is_whole; // the transfer goes to the end of the file
        enum fleet_verdict fleet;
        struct buf fleet_why;
};

// http_answer.c. Queues a response and lets go of it.
enum MHD_Result http_answer(const struct http_request *request, unsigned status, struct MHD_Response *response);
// A short text, with a newline.
enum MHD_Result http_answer_text(const struct http_request *request, unsigned status, const char *text);
// 503, which clients take for "again in so many seconds".
enum MHD_Result http_answer_later(const struct http_request *request, unsigned retry_s, const char *text);
// Takes the buffer's memory.
enum MHD_Result http_answer_buf(const struct http_request *request, const char *type, struct buf *body);
const char *http_header(const struct http_request *request, const char *name);    // NULL: absent
const char *http_parameter(const struct http_request *request, const char *name); // of the URL; NULL: absent

enum MHD_Result http_answer_file(struct http_request *request);
enum MHD_Result http_answer_api(struct http_request *request);    // GET
enum MHD_Result http_answer_post(struct http_request *request);   // all of the body is there
enum MHD_Result http_answer_diff(struct http_request *request);   // http_diff.c
enum MHD_Result http_answer_report(struct http_request *request); // http_report.c
enum MHD_Result http_answer_events(struct http_request *request); // http_events.c

#endif
