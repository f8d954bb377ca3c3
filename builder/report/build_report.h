// SPDX-License-Identifier: MIT
// An HTML page about one published build: its roles, its packages as a treemap by size, its network as a picture, what
// is new since an older build, what its steps took, and the warnings that were given.
//
// It says when a build was made and how long that took, which no second build repeats. So it lies beside the build and
// is no part of it: neither its id nor its manifest, SHA256SUMS or signature know of it, and no machine loads it.
//
//     <out>/<cluster>/[partial/]report-<build id>.html     the page
//     <out>/<cluster>/[partial/].notes-<build id>          what only the run that made the build knew, JSON, mode 0600
//
// The page needs no script and fetches nothing. Every text in it may come from a package or an inventory of somebody
// else and is escaped.
#ifndef KILN_REPORT_BUILD_REPORT_H
#define KILN_REPORT_BUILD_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "release/build_list.h"

struct report_source {
        const char *path;    // of the build
        const char *before;  // the path of the older build, or NULL: nothing is compared
        const json_t *notes; // of report_notes_end(), or NULL: nobody wrote them down
};

// Appends the page. Errors: as build_diff() and diffed_build_open() have them.
must_check bool report_make(const struct report_source *source, struct buf *ret, struct err *err);

// ---- what only the run that makes a build knows ----

// Writes down from now on which steps are taken, how long they take, and what is warned of. `out` and `cluster` say
// which build is current before it. One at a time.
void report_notes_begin(const char *out, const char *cluster);
// Ends it. A new object: { "format": 1, "made": seconds since 1970, "before": id or "", "took_ms",
// "steps": [{"step", "began_ms", "took_ms"}], "warnings": [text] }.
json_t *report_notes_end(void);

// ---- keeping it ----

// Writes the page of a build that is in the list, with its notes: `notes`, which are kept, or if that is NULL those
// that were. It is compared with the build that they name, or else with the next older whole one. `ret_path` is heap.
// LOCKED while another kiln publishes there. Nobody sees half a page.
must_check bool report_keep(const char *out, const struct build_list *list, const struct listed_build *build,
                            const json_t *notes, char **ret_path, struct err *err);

// The page's place, relative to the directory that the build is in; heap.
char *report_name(const char *build_id);

#endif
