// SPDX-License-Identifier: MIT
// Serves status_answer() on a TCP port, to a few clients at once: one that is slow or says nothing is dropped after
// seconds, and the oldest when there are too many. One look at the machine serves all who ask within a second.
#ifndef KILN_NODE_WATCH_STATUS_SERVE_H
#define KILN_NODE_WATCH_STATUS_SERVE_H

#include "base/err.h"

// Serves on a listening socket until nobody has asked for `idle_ms`; -1: for ever. ERR_SYSTEM.
must_check bool status_serve(int root, int listener, int idle_ms, struct err *err);

// The socket that systemd gives (sd_listen_fds(3)), or with a `port` one of our own. ERR_USAGE, ERR_SYSTEM.
must_check bool status_listen(const char *port, int *ret, struct err *err);

#endif
