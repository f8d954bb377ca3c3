// SPDX-License-Identifier: MIT
// FleetLock (Zincati's protocol): machines that want to boot again ask for the one slot of their group, and give it
// back once they are up. POST /v1/pre-reboot and /v1/steady-state with the header `fleet-lock-protocol: true` and the
// body { "client_params": { "id", "group" } }; 200, or another status with { "kind", "value" }.
//
// The gate is that of a rollout: no slot is given while one is under way, or while the cluster is not healthy.
//
//     <state directory>/fleet-locks.json    { GROUP: { "id", "since": seconds since 1970 } }
#ifndef KILN_SERVE_FLEET_LOCK_H
#define KILN_SERVE_FLEET_LOCK_H

#include "serve/http_request.h"

#define FLEET_LOCK_URL "/v1/"
#define FLEET_LOCKS_NAME "fleet-locks.json"

// Before requests come: `state_dir` is an open directory, which stays the caller's; `state` is taken from it.
must_check bool fleet_lock_open(int state_dir, struct err *err);
// Before the HTTP server stops: no connection is left waiting for a verdict.
void fleet_lock_end(void);
void fleet_lock_close(void);

// Called anew once a machine was judged, for which the connection is suspended.
enum MHD_Result http_answer_fleet(struct http_request *request);
// Takes a group's slot from who does not give it back. False: nobody has it.
bool fleet_lock_forget(const char *group);

#endif
