// SPDX-License-Identifier: MIT
// Whether a running cluster does what it is for: the roles' health checks on every node at once, what their values say
// together, and the virtual addresses. kiln knows nothing of the services: what is asked, and what it means, stands in
// role files.
//
// { "format": 1, "cluster", "at": seconds since 1970, "took_ms", "state": STATE,
//   "roles": { NAME: { "nodes", "healthy", "need", "spare", "state": STATE } },     spare: so many more may fail
//   "nodes": { NAME: { "role", "ip", "healthy", "checks": [CHECK] } },
//   "vips": { NAME: { "role", "ip", "owner": node | null, "checks": [CHECK] } },
//   "agreements": [ { "role", "name", "ok": true|false|null, "evidence" } ],         null: nobody could be asked
//   "findings": [ { "what", "evidence", "remedy", "serious" } ] }
// CHECK: { "name", "ok", "ms", "evidence", "values": { NAME: text } }
// STATE: "healthy", "degraded" (it serves, and something is wrong), "not serving", "unknown" (nothing answered, so that
// it may be this machine that is at fault)
#ifndef KILN_STATUS_STATUS_H
#define KILN_STATUS_STATUS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

enum status_state { STATUS_HEALTHY, STATUS_DEGRADED, STATUS_NOT_SERVING, STATUS_UNKNOWN };

struct status_options {
        const struct strings *roles; // only these; none: all
        unsigned deadline_ms;        // for each question
};

// Asks the cluster once. `ret` is a new object. Errors: SYSTEM, INTERRUPTED; what is wrong with the cluster is none.
must_check bool status_ask(const struct cluster *cluster, const struct status_options *options, json_t **ret,
                           enum status_state *ret_state, struct err *err);

const char *status_state_name(enum status_state state);

// A table of roles, and the findings, for people.
void status_print(const json_t *status, struct buf *ret);

#endif
