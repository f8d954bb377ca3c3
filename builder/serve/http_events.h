// SPDX-License-Identifier: MIT
// Server-sent events (HTML, section 9.2): each watcher is told of the machines that have changed since it was told
// last. There is no queue: who reads slowly skips what was in between.
#ifndef KILN_SERVE_HTTP_EVENTS_H
#define KILN_SERVE_HTTP_EVENTS_H

#include "serve/rack.h"

struct http_watchers;

struct http_watchers *http_watchers_new(struct rack *rack);
void http_watchers_free(struct http_watchers *watchers); // none is left
// Wakes those for whom there is news, or all of them to end.
void http_watchers_wake(struct http_watchers *watchers, bool is_end);

#endif
