// SPDX-License-Identifier: MIT
// What servers share: a socket that listens, and libmicrohttpd on it, with bounds: a few threads with epoll(7) each, so
// many connections together and from one address, so much memory for each, and an end for those that say nothing.
#ifndef KILN_HTTP_DAEMON_H
#define KILN_HTTP_DAEMON_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>

#include "base/err.h"
#include "http/clients.h"

enum { HTTP_CONNECTIONS_MAX = 8192 };

struct http_daemon;

struct http_daemon_options {
        int socket; // taken
        unsigned threads;
        unsigned connections_max; // HTTP_CONNECTIONS_MAX, or less
        size_t connection_bytes;  // request line and headers must fit; a body comes in pieces of at most this size
        void *context;            // of these two:
        MHD_AccessHandlerCallback request;
        MHD_RequestCompletedCallback completed;
        struct clients *clients; // connections are counted there, by address, while
        pthread_mutex_t *lock;   // this is held
};

// Binds and listens; port 0 is any free one. SYSTEM with a hint if the port is taken or may not be used: `option` is
// what gives another one. Separate, so that it can be done before privileges are dropped.
must_check bool http_listen(struct in_addr address, unsigned port, const char *option, int *ret_socket,
                            struct err *err);

// Raises this process's limit of open files (RLIMIT_NOFILE) to what a server may need, as far as it may; a warning says
// if a rack of so many machines needs more. Before privileges are dropped and the server is started.
void http_raise_limit(size_t machines);

must_check bool http_daemon_start(const struct http_daemon_options *options, struct http_daemon **ret, struct err *err);
void http_daemon_stop(struct http_daemon *daemon); // NULL is fine

struct in_addr http_client_of(struct MHD_Connection *connection);

#endif
