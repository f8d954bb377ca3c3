// SPDX-License-Identifier: MIT
// What kiln check finds, for programs: JSON lines, SARIF 2.1.0 (OASIS), GitHub's workflow commands.
#ifndef KILN_VERBS_FINDINGS_H
#define KILN_VERBS_FINDINGS_H

#include <jansson.h>

#include "base/buf.h"
#include "profile/profile.h"

enum findings_format { FINDINGS_TEXT, FINDINGS_JSON, FINDINGS_SARIF, FINDINGS_GITHUB };

// "text", "json", ...; NULL is text. ERR_USAGE.
must_check bool findings_format_read(const char *name, enum findings_format *ret, struct err *err);

// Zero it but for the format; findings_add() is what struct profile_options calls.
struct findings {
        enum findings_format format;
        const char *cluster; // the file that is checked: where findings are shown that are in none
        struct buf text;     // JSON lines and annotations, as they come
        json_t *results;     // of SARIF
};
void findings_add(const struct profile_finding *finding, void *findings);
bool findings_has_any(const struct findings *findings);
// Its members but for "event"; NULL if it is no UTF-8.
json_t *finding_json(const struct profile_finding *finding);
// Prints all of it on standard output and releases it.
void findings_print(struct findings *findings);

#endif
