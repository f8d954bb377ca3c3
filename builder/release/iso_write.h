// SPDX-License-Identifier: MIT
// Writing an ISO from the parts that a build has of it (artefact/iso/iso_parts.h).
#ifndef KILN_RELEASE_ISO_WRITE_H
#define KILN_RELEASE_ISO_WRITE_H

#include <stdint.h>

#include "base/err.h"

// Writes the ISO of a role of the published build at `build` as the file `to`, or if that is NULL as CLUSTER-ROLE.iso
// into the working directory, by one rename when all of it is written and its digest is the published one. A build that
// has the ISO itself gives a copy. What SHA256SUMS does not name, or names with another digest, is not taken.
// `ret_path` is heap. Errors: REFERENCE for a build without such a role or ISO; DIFFERENT where the build is not what
// it was; USAGE where `to` is in a published build, or is there and no regular file. Nothing is left then.
must_check bool iso_write_published(const char *build, const char *role, const char *to, char **ret_path,
                                    struct err *err);

// Opens the ISO to be read, checked as above: the build's own file, or one without a name that its parts are joined in.
must_check bool iso_open_published(const char *build, const char *role, int *ret_fd, uint64_t *ret_size_bytes,
                                   struct err *err);

#endif
