// SPDX-License-Identifier: MIT
// The places that a node takes values of secrets from: kiln.secrets (shared/secrets.h) on the config drive, on the
// state disk in kiln's own directory, and, of a machine that was installed to its disk, in /var/lib/kiln. The first
// that has a name gives its value. A file that is not to be trusted or not to be read gives none, and says why.
#ifndef KILN_NODE_SECRETS_SECRET_SOURCE_H
#define KILN_NODE_SECRETS_SECRET_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "shared/secrets.h"

enum secret_place { SECRETS_OF_DRIVE, SECRETS_OF_STATE_DISK, SECRETS_OF_ROOT, SECRET_PLACES };

struct secret_source {
        char place[128];       // "the config drive /dev/sdb"; "": there is no such file
        char problem[512];     // "": its values hold
        struct secrets values; // overwritten when it is released
};

// What the file at `place` says; a problem if that is not to be understood. Replaces what the source had.
void secret_source_parse(struct secret_source *source, const char *place, const char *text, size_t size);
// Why the file gives nothing.
void secret_source_fail(struct secret_source *source, const char *place, const char *problem);
void secret_source_release(struct secret_source *source);

// Reads DIRECTORY/kiln.secrets below `top`, without following a link: a regular file with this name alone, of whoever
// runs this (root) and closed to others, in a directory that nobody else may write to. No such file or directory: the
// source is empty.
void secret_source_read(struct secret_source *source, int top, const char *directory, const char *place);

// The value of `name`, and where it is from, or NULL.
const char *secret_sources_find(const struct secret_source *sources, size_t count, const char *name,
                                const struct secret_source **ret_source);

#endif
