// SPDX-License-Identifier: MIT
// What was done to the machines of a rack, and when: a file with a line of JSON for each thing, so that a run can be
// told and done again. It outlives the rack.
#ifndef KILN_RACK_RACK_JOURNAL_H
#define KILN_RACK_RACK_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct rack_journal {
        int fd;
        uint64_t seed, random; // of what faults choose: the seed, and where its sequence is
        int64_t begun_ms;
};

// `seed` NULL: one of the kernel's. USAGE for a seed that is no number.
must_check bool rack_journal_open(struct rack_journal *journal, int dir, const char *seed, struct err *err);
void rack_journal_close(struct rack_journal *journal);

// { "time": ISO 8601, "ms": since the rack began, "do", "node", ...details }. Takes `details`, which may be NULL.
void rack_journal_note(struct rack_journal *journal, const char *what, const char *node, json_t *details);

// The next number of the seed's sequence, below `end`.
uint64_t rack_journal_choose(struct rack_journal *journal, uint64_t end);

#endif
