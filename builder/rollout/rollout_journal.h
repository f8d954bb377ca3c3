// SPDX-License-Identifier: MIT
// What a rollout has begun and ended, so that one that is killed at any moment can go on: a JSON object a line, on the
// disk (fdatasync(2)) before what it says is done.
//
//     {"event":"begin","format":1,"cluster","from","to","nodes":[NAME],"at",
//      "scope":"all"|"part"|"canary"}          part: of what changes, some nodes were chosen; absent: all
//     {"event":"publish"}                      `current` is moved to `to`
//     {"event":"step","nodes":[NAME],          their draining may have begun
//      "boot_ids":{NODE: ID}}                  may be absent: what a rollout that this one follows had told of them
//     {"event":"reboot","node","boot_id"}      it is about to boot again
//     {"event":"back","node"}                  it runs `to`
//     {"event":"undrain"}                      is being taken back
//     {"event":"done","nodes":[NAME]}          the step is over, and the cluster whole
//     {"event":"end","how":"done"|"part"|"canary"|"aborted"|"went back"}
//
// A last line that was not written whole is cut off: what it says was not done.
#ifndef KILN_ROLLOUT_ROLLOUT_JOURNAL_H
#define KILN_ROLLOUT_ROLLOUT_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

enum rollout_scope { ROLLOUT_ALL, ROLLOUT_PART, ROLLOUT_CANARY };

struct rollout_journal {
        int fd;       // -1: not open to be written
        bool exists;  // there is one
        bool is_open; // it has not ended
        enum rollout_scope scope;
        char *cluster, *from, *to, *how;
        json_t *nodes;    // that were to boot again
        json_t *done;     // names of those that have: an object
        json_t *step;     // nodes of the step that had begun, and is not over; NULL: none
        json_t *boot_ids; // of nodes of the step, when they were about to boot
};

// Reads <dir>/journal. An absent one is a journal that does not exist. CORRUPT for lines that are none.
must_check bool rollout_journal_read(int dir, struct rollout_journal *ret, struct err *err);
// Begins one anew, which replaces the last as a whole. Takes `nodes`; `step` is its first step, or NULL.
struct rollout_begin {
        const char *cluster, *from, *to;
        enum rollout_scope scope;
        json_t *nodes, *step;
};
must_check bool rollout_journal_begin(int dir, const struct rollout_begin *begin, struct rollout_journal *journal,
                                      struct err *err);
// Opens the one that was read, to be added to.
must_check bool rollout_journal_continue(int dir, struct rollout_journal *journal, struct err *err);
// Adds an event, which it takes; it is on the disk when this returns.
must_check bool rollout_journal_note(struct rollout_journal *journal, json_t *event, struct err *err);
void rollout_journal_close(struct rollout_journal *journal);

#endif
