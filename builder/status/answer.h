// SPDX-License-Identifier: MIT
// What is read from the answer of a health check.
#ifndef KILN_STATUS_ANSWER_H
#define KILN_STATUS_ANSWER_H

#include <jansson.h>

#include "base/buf.h"
#include "profile/profile.h"
#include "status/probe.h"

// The request of a check, appended; an HTTP one names the host. False: to be connected is enough.
bool health_request(const struct health_check *check, const char *host, struct buf *ret);

// Judges one answer: "" for one that is as it should be, or why it is not, in one line. `values` (an object) gets what
// could be read of the check's values, as texts or lists of texts; a value that was not found is absent. Nothing in the
// answer is trusted.
void health_judge(const struct health_check *check, const struct probe *probe, json_t *values, struct buf *ret_why);

// The body of an HTTP answer with status 200 that is whole. False, with one line why not.
must_check bool health_body(const struct probe *probe, const char *path, struct buf *ret, struct buf *ret_why);

// Parses JSON that a server answered; new. NULL: it is none, or so large that it is not parsed, and why it is not is
// appended.
json_t *answer_json(const char *text, size_t size, struct buf *ret_why);

// What an HTTP server answered: its status, 0 for what is no HTTP, and the body with chunks joined (RFC 9112, 7.1),
// appended.
void answer_http(const struct probe *probe, int *ret_status, struct buf *ret_body);

#endif
