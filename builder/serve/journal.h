// SPDX-License-Identifier: MIT
// The journal: a file of events, one JSON object a line, that is only ever appended to. A process that is killed loses
// nothing of it; a machine that loses power, at most a second. A last line that was not written whole is cut off; when
// it is opened, what later events have made void is left out.
#ifndef KILN_SERVE_JOURNAL_H
#define KILN_SERVE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "serve/boot_state.h"

struct journal {
        int dir, fd;
        uint64_t size_bytes, compact_bytes; // now, and when it was last written anew
        bool is_dirty;                      // written, and not on the disk yet
        int64_t synced_ms;
        bool has_failed;  // told once
        bool is_stale;    // what is in it adds up to another state: it is to be written anew
        bool is_stuck;    // that has failed, which is told once
        int64_t retry_ms; // it is not done before
};

// Takes <dir>/lock until the process ends. LOCKED if another kiln serves with the directory: before anything in it is
// touched.
must_check bool journal_lock(int dir, struct err *err);
// Opens <dir>/journal, whose directory is locked, applies what it holds to the state, and writes it anew. `dir` is an
// open directory, which the journal keeps.
must_check bool journal_open(int dir, struct boot_state *state, struct journal *ret, struct err *err);
// Appends an event. A disk that is full costs the journal and no boot: a warning says so, once, and what is missing is
// written as soon as journal_tick() can.
void journal_append(struct journal *journal, const struct boot_event *event);
// What is to be put on the disk now: a descriptor to fdatasync() and close without holding anything that a slow disk
// would hold up; -1: nothing. At most once a second.
int journal_unsynced(struct journal *journal, int64_t now_ms);
// Writes it anew if it is stale, or has grown so much that this is worth it. What fails is told once, and tried again
// after a minute. `now_ms` is monotonic.
void journal_tick(struct journal *journal, const struct boot_state *state, int64_t now_ms);
// Writes it anew, so that each event carries its card and an inventory that is changed meanwhile finds whose it is, and
// closes it, if it was opened. What fails is told.
void journal_close(struct journal *journal, const struct boot_state *state);

#endif
