// SPDX-License-Identifier: MIT
// What the files of rack/ share: the supervisor, and how errors and requests go from one process to another.
#ifndef KILN_RACK_INTERNAL_H
#define KILN_RACK_INTERNAL_H

#include <jansson.h>

#include "base/buf.h"
#include "rack/rack_journal.h"
#include "rack/rack_machine.h"
#include "rack/rack_place.h"
#include "rack/virtual_rack.h"

struct supervisor {
        const struct virtual_rack_options *options;
        const struct rack_place *place;
        struct rack_machines machines;
        struct rack_journal journal;
        struct in_addr address; // this side's in the cluster's network
        char program[4096];     // kiln's own
        int control, keeper;    // listening socket; a pipe that ends when the keeper does
        pid_t serve, watcher;   // 0: it is not running
        int watcher_output;
        struct buf watcher_line;
        unsigned at_once;
        bool is_ending;
};

// Runs a rack as the first process of its namespaces until it is to end. Says on the descriptor `ready` (message.h's
// form) that it is up, or why not.
_Noreturn void supervisor_main(struct supervisor *supervisor, int ready);

// Switches on whoever's turn it is.
void supervisor_start_next(struct supervisor *supervisor);

// The fault that a request names: "kind", "node", "value". The answer gets the node that was chosen.
must_check bool supervisor_fault(struct supervisor *supervisor, const json_t *request, json_t *answer, struct err *err);

// Answers one client.
void supervisor_answer(struct supervisor *supervisor);
// Makes the socket that they come to.
must_check bool supervisor_listen(struct supervisor *supervisor, struct err *err);

// kiln serve, in the rack's network; its output goes to serve.log. Returns once it serves. TOOL, with its last words.
must_check bool supervisor_serve(struct supervisor *supervisor, uint16_t *ret_port, struct err *err);

// ---- messages: a line of JSON, {"ok": true, ...} or {"ok": false, "kind", "text", "hint"} ----

json_t *message_of_error(const struct err *err);
// True if it is no error. `what` failed where there is no message at all (NULL).
must_check bool message_check(const json_t *message, const char *what, struct err *err);
// Sends it with descriptors, which may be none. Takes the message.
bool message_send(int fd, json_t *message, const int *descriptors, size_t count);
// Reads until the end of the line, with what descriptors came: NULL for none that can be read.
json_t *message_receive(int fd, int *descriptors, size_t count);

#endif
