// SPDX-License-Identifier: MIT
// Modules (modules.yaml of a repository): several streams of the same packages, of which one is offered. As in dnf: the
// streams that the release enables, else each module's default one; what belongs to another stream does not exist, and
// a package of no module hides behind those that an active stream has under its name.
#ifndef KILN_PACKAGES_SOLVE_MODULE_STREAMS_H
#define KILN_PACKAGES_SOLVE_MODULE_STREAMS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "packages/metadata/source.h"
#include "packages/solve/groups.h"
#include "packages/solve/pool.h"

struct modules;

// Loads the modules of all repositories, chooses streams, and takes the packages that are not offered from
// `packages->considered`. Without modules it does nothing. REFERENCE: an enabled module or stream does not exist, or
// what it needs contradicts another. CORRUPT.
must_check bool modules_apply(struct packages *packages, struct err *err);
void modules_free(struct modules *modules);

// Appends the text of a repository's modules.yaml, verified and unpacked, if it has one. Errors as
// metadata_file_open().
must_check bool modules_read(struct source *source, struct buf *ret, struct err *err);

// Whether a request, without its "@", is "MODULE[:STREAM][/PROFILE]" of a module that there is.
bool modules_know(const struct modules *modules, const char *request);
// Calls back for every package of a stream's profile; without one for those of its default profiles. PACKAGE: there is
// no such stream or profile, or the stream is not active.
must_check bool modules_members(const struct modules *modules, const char *request, comps_member *add, void *context,
                                struct err *err);
// Why modules leave a package out, or NULL. Heap.
char *modules_reason(const struct packages *packages, Id id);

#endif
