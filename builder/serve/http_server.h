// SPDX-License-Identifier: MIT
// HTTP/1.1 by libmicrohttpd, for what a rack needs:
//
//     GET /current/PATH, /BUILD/PATH    published builds; ranges, entity tags
//     GET /blobs/sha256/HEX             what a build has of that digest; also /v2/NAME/blobs/sha256:HEX, as of a
//                                       registry, whatever the name
//     GET /                             the page
//     GET /api/state                    every machine, JSON
//     GET /api/machine?name= or ?mac=   one, with its earlier boots
//     GET /api/events                   the same as server-sent events, as they change
//     GET /api/diff                     what this build changes of the one before, as text in JSON
//     GET /metrics                      for Prometheus
//     POST /report                      what nodes tell (report_read.h)
//     POST /api/forget?mac=             forgets a machine that the inventory does not know; with the token
#ifndef KILN_SERVE_HTTP_SERVER_H
#define KILN_SERVE_HTTP_SERVER_H

#include "serve/rack.h"

struct http_server;

// Takes the socket. `token` is NULL or a text that must outlive the server.
must_check bool http_server_start(struct rack *rack, int socket, unsigned threads, const char *token,
                                  struct http_server **ret, struct err *err);
// Tells those who watch what has changed. To be called several times a second.
void http_server_tick(struct http_server *server);
void http_server_stop(struct http_server *server); // NULL is fine

#endif
