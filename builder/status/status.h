// SPDX-License-Identifier: MIT
// Whether a running cluster does what it is for: the roles' health checks on every node at once, what their values say
// together, and the virtual addresses. kiln knows nothing of the services: what is asked, and what it means, stands in
// role files.
//
// { "format": 1, "cluster", "at": seconds since 1970, "took_ms", "state": STATE,
//   "wanted_build": text | null,                                                    that nodes should run
//   "roles": { NAME: { "nodes", "healthy", "need", "spare", "state": STATE } },     spare: so many more may fail
//   "nodes": { NAME: { "role", "ip", "healthy", "checks": [CHECK], "machine": kiln-node's answer } },
//   "vips": { NAME: { "role", "ip", "healthy", "owner": node | null, "cards": [MAC], "holders": [node], "checks" } },
//   "agreements": [ { "role", "name", "ok": true|false|null, "evidence" } ],         null: it is not known
//   "findings": [ { "what", "evidence", "remedy", "serious" } ] }
// CHECK: { "name", "ok", "ms", "http": status of an HTTP answer, "evidence", "values": { NAME: text | [text] } }
// STATE: "healthy", "degraded" (it serves, and something is wrong), "not serving", "unknown": of the cluster that
// nothing answers, so that it may be this machine that is at fault, of a role that nothing is asked of it. A cluster
// with a role of which nothing is known is degraded at best.
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
        const char *wanted_build;    // that nodes should run; NULL: none is known
        const struct strings *nodes; // only these are asked, and no virtual address: the state says nothing; NULL: all
};

// Asks the cluster once. `ret` is a new object. Errors: SYSTEM, INTERRUPTED; what is wrong with the cluster is none.
must_check bool status_ask(const struct cluster *cluster, const struct status_options *options, json_t **ret,
                           enum status_state *ret_state, struct err *err);

// Asks kiln-node on every node which build it runs; the cluster has a status_port. `ret` is new and of the form of kiln
// serve's /api/state: { "cluster", "machines": [{"name", "role", "known": true, "build", "stage": "", "why"}] }, where
// `build` is "" and `why` says so for a node that does not answer or is another one. Whoever has a node's address can
// answer for it: nothing that cannot be taken back may hang on this alone. Errors: SYSTEM, INTERRUPTED.
must_check bool status_builds(const struct cluster *cluster, unsigned deadline_ms, json_t **ret, struct err *err);

const char *status_state_name(enum status_state state);

// The JSON Schema of a status; heap.
char *status_schema(void);

// A table of roles, and the findings, for people.
void status_print(const json_t *status, struct buf *ret);

#endif
