// SPDX-License-Identifier: MIT
// Everything that is wrong with what the user wrote, collected over a whole run and reported together. Texts of
// sources are kept, so that each mistake shows its line. Zeroed is empty; the arena outlives it.
#ifndef KILN_PROFILE_READER_DIAGNOSTICS_H
#define KILN_PROFILE_READER_DIAGNOSTICS_H

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"
#include "shared/value.h"

struct diagnostics {
        struct arena *arena;
        struct source {
                const char *name, *text;
                size_t size;
        } * sources;
        size_t source_count;
        struct mistake {
                enum err_kind kind; // NONE of a warning
                struct place place;
                const char *message, *hint;
                bool is_private; // its line is not shown
        } * mistakes, *warnings;
        size_t mistake_count, warning_count;
        struct mistake *last; // what report_hint() speaks of; NULL if it was reported before
};

#define auto_diagnostics __attribute__((cleanup(diagnostics_release))) struct diagnostics

// `text` must stay valid. `name` is what places call it.
void diagnostics_add_source(struct diagnostics *diagnostics, const char *name, const char *text, size_t size);

// The same message at the same place is kept once. `place` may be NULL.
void report(struct diagnostics *diagnostics, enum err_kind kind, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The same for what may be meant as it is written.
void report_warning(struct diagnostics *diagnostics, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The line of what was just reported holds what no log may have.
void report_privately(struct diagnostics *diagnostics);
// What to do about the mistake that was just reported.
void report_hint(struct diagnostics *diagnostics, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "did you mean `NEAREST`?", if there is one.
void report_nearest(struct diagnostics *diagnostics, const char *nearest);
// Hints "did you mean NEAREST?", or else what there is.
void report_known(struct diagnostics *diagnostics, const char *wanted, const struct strings *known);

// "FILE:LINE:COLUMN", or what there is of it, on the arena.
const char *place_text(struct arena *arena, const struct place *place);

// The mistakes and the warnings, one by one, as they were reported. What a template's renderer says begins with its
// place and ends with the line: these are taken apart.
void diagnostics_each(const struct diagnostics *diagnostics, void (*each)(const struct mistake *mistake, void *context),
                      void *context);
// One of them that is only a text yet: "FILE:LINE:COLUMN: MESSAGE" and the line below it.
struct mistake mistake_take_apart(struct arena *arena, const struct mistake *mistake);
// True if nothing was reported; otherwise all of it as one error, of the first mistake's kind.
must_check bool diagnostics_finish(const struct diagnostics *diagnostics, struct err *err);
// The warnings, a text each, on the arena.
struct strings diagnostics_warnings(const struct diagnostics *diagnostics);
void diagnostics_release(struct diagnostics *diagnostics);

#endif
