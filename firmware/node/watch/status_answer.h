// SPDX-License-Identifier: MIT
// What a machine says of itself to whoever asks on the cluster's status_port: nothing that must not be known, and
// nothing can be changed by it. `kiln status` reads it (builder/status/machine_answer.c). One JSON object:
//
// { "format": 1, "cluster", "role", "node", "build", "refused": null | "why",          as /run/kiln/report.json has it
//   "time": seconds since 1970, "uptime_s", "synchronised": whether the kernel's clock is disciplined (adjtimex(2)),
//   "filesystems": [ { "path": "/", "used_percent", "files_percent" } ],               of 0 to 100, rounded up
//   "failed": [units] | null, "addresses": [IPv4],
//   "state": null | { "status", "reason" }, "network_problem": "" }
#ifndef KILN_NODE_WATCH_STATUS_ANSWER_H
#define KILN_NODE_WATCH_STATUS_ANSWER_H

#include "base/buf.h"

enum { STATUS_REQUEST_MAX = 4096 };

// Looks at the machine whose root directory is opened. What cannot be read is left out.
void status_answer(int root, struct buf *ret_text);

// Reads one request (RFC 9112) of a client that may be anybody. `size` bytes of it are there. False: more of it has to
// come, of STATUS_REQUEST_MAX bytes at most. Else the response, whose body is `body` for GET of "/".
must_check bool status_respond(const char *request, size_t size, const struct buf *body, struct buf *ret);

#endif
