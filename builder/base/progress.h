// SPDX-License-Identifier: MIT
// Progress of long work, on standard error. On a terminal: one line that is rewritten. Elsewhere: a plain line when a
// step ends, which is what the log of a build server shows; with --json: one JSON object a line. Safe to call from
// several threads and, since each line is a single write, from several processes.
#ifndef KILN_BASE_PROGRESS_H
#define KILN_BASE_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// VERBOSE: as PLAIN, and a line when a step begins.
enum progress_mode { PROGRESS_QUIET, PROGRESS_TERMINAL, PROGRESS_PLAIN, PROGRESS_VERBOSE, PROGRESS_JSON };

// Called once by main.
void progress_setup(enum progress_mode mode);

// A step: "download", "install master", ... `total` is in `unit`s ("bytes", "packages"); 0 if unknown.
struct progress {
        const char *step, *unit;
        uint64_t done, total;
        int64_t started_ms, shown_ms;
};
void progress_begin(struct progress *progress, const char *step, const char *unit, uint64_t total);
void progress_add(struct progress *progress, uint64_t amount); // atomic
// `is_done`: what the step is for has happened; of one that failed or was stopped, no time is claimed.
void progress_end(struct progress *progress, bool is_done);

// An event of --json beside these, on standard error: `members` with its name and time before them. Takes `members`,
// which may be NULL for a defect that is then told.
void progress_event(const char *event, json_t *members);

// Something the user should know although the work goes on: shown in every mode but QUIET's --quiet.
void warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
// A result or a remark, shown in every mode but QUIET.
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Told of each step as it ends and of each warning, in every mode. Steps end in several threads; what other processes
// say is not told.
struct progress_observer {
        void (*step_ended)(const struct progress *progress, int64_t now_ms);
        void (*warned)(const char *text);
};
void progress_observe(const struct progress_observer *wanted); // not copied; NULL: nobody is told

int64_t monotonic_ms(void);

#endif
