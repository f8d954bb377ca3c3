// SPDX-License-Identifier: MIT
// From one build to another on a running cluster: in which order its nodes boot again, and doing so.
//
// What is done with the nodes of a role stands in its `rollout`; kiln knows nothing of the services. A step is one
// node, or a batch of one role. Before and after each of them the cluster must be healthy, as builder/status judges it,
// so that kiln never has two members of an ensemble down.
//
//     <out>/<cluster>/.rollout/lock      who is at it: { "owner", "host", "pid", "since" }; flock(2) tells the living
//     <out>/<cluster>/.rollout/journal   what was begun and what ended, a JSON object a line, each on the disk before
//                                        it is acted on; of the last rollout
//
// A plan: { "format": 1, "cluster", "from", "to", "state": STATE of status.h, "current": whether `to` is what machines
//   boot now, "steps": [{ "role", "nodes": [NAME], "changes": [TEXT of build_diff.h], "leads": [NAME], "alone": whether
//   the role has no other node, "reboot": "ssh"|"ipmi"|"button", "drain": [NAME of an action] }],
//   "skipped": [{ "node", "why" }], "problems": [TEXT] }
#ifndef KILN_ROLLOUT_ROLLOUT_H
#define KILN_ROLLOUT_ROLLOUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

struct rollout_options {
        const char *out;
        const char *build;            // id or path of what nodes shall run; NULL: what `current` names
        const char *from;             // id or path of what they run; NULL: what the last rollout ended with
        const struct strings *only;   // nodes; none: all
        const struct strings *forced; // nodes that may be unhealthy
        const char *reboot;           // a name of rollout_reboot_names; NULL: as the roles say
        const char *ssh_config;       // NULL: ssh's own, with host keys as rollout_remote.c has them
        const char *serve_state;      // where kiln serve keeps FleetLock's slots; NULL: its usual place
        bool canary;                  // one step, and no more
        bool take_lock;               // from a host that does not answer for it
        unsigned deadline_ms;         // of each question
        int64_t timeout_s;            // of each gate, and of a node's boot
        unsigned jobs;                // for reading a build that is published
};

// The plan, and nothing else. Errors: REFERENCE for builds and nodes that are not there; SYSTEM. What forbids to go on
// with it is in "problems".
must_check bool rollout_plan(const struct cluster *cluster, const struct rollout_options *options, json_t **ret,
                             struct err *err);
void rollout_plan_print(const json_t *plan, struct buf *ret);

// Asks kiln-node's report of every node by ssh, many at once, as a rollout does. `ret` is new and of the form of
// status_builds(). A node that does not answer is no error; ENOENT: there is no ssh on this machine.
must_check bool rollout_running(const struct cluster *cluster, const char *ssh_config, json_t **ret, struct err *err);

// Does it. ROLLOUT with what was seen: draining is taken back then, and the rollout can be resumed. LOCKED if another
// is under way.
must_check bool rollout_go(const struct cluster *cluster, const struct rollout_options *options, struct err *err);

// Goes on with the rollout of the journal, from the step that had begun.
must_check bool rollout_resume(const struct cluster *cluster, const struct rollout_options *options, struct err *err);

// Takes back the draining of the step that had begun, and ends the rollout there.
must_check bool rollout_abort(const struct cluster *cluster, const struct rollout_options *options, struct err *err);

// A new rollout of the nodes that the journal's had changed, to the build that they ran before. The step that had begun
// comes first.
must_check bool rollout_back(const struct cluster *cluster, const struct rollout_options *options, struct err *err);

#endif
