// SPDX-License-Identifier: MIT
// What the sections of a report share.
#ifndef KILN_REPORT_INTERNAL_H
#define KILN_REPORT_INTERNAL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json_member.h"
#include "diff/diffed_build.h"
#include "report/build_report.h"
#include "report/html.h"

// A package that at least one role has.
struct report_package {
        const json_t *package; // of the manifest
        const char *name, *arch;
        const char *roles; // "master, slave"; of the arena
        size_t role_count;
        int64_t size_bytes; // installed
        bool is_new;        // the build before had none of this name
        bool is_changed;    // it had another version
};

struct report_data {
        const struct report_source *source;
        struct arena arena;
        struct diffed_build build;
        json_t *diff;                    // to the build before, or NULL
        const char *why_no_diff;         // the older build cannot be compared; NULL: it can, or there is none
        json_t *node_json;               // of one role, or NULL: no role has a configuration layer
        struct report_package *packages; // the largest first
        size_t package_count, role_count;
};

must_check bool report_data_open(const struct report_source *source, struct report_data *ret, struct err *err);
void report_data_close(struct report_data *data);

int64_t report_size(const json_t *object, const char *key); // 0 for what is no size

// The sections, each with its heading. `packages` has the numbers of report_data.packages.
void report_changes(const struct report_data *data, struct buf *to);
void report_packages(const struct report_data *data, struct buf *to);
void report_network(const struct report_data *data, struct buf *to);
void report_steps(const struct report_data *data, struct buf *to);

// What the links at the top of the page lead to.
static inline void report_heading(struct buf *to, const char *id, const char *title) {
        html_format(to, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

#endif
