// SPDX-License-Identifier: MIT
// The root of a role as a machine has it, from a published build and nothing else: packages and configuration.
#ifndef KILN_RELEASE_PUBLISHED_ROOT_H
#define KILN_RELEASE_PUBLISHED_ROOT_H

#include <stdbool.h>

#include "base/err.h"

// Opens it as a mount that is attached nowhere, for one use, after sandbox_enter(): read-only, or with a layer in
// memory that takes what is written. It is unpacked in memory, and all of it ends with its last descriptor. The files
// are those of SHA256SUMS, or DIFFERENT. REFERENCE: there is no such role, or the build lacks its root.
must_check bool published_root_open(const char *build, const char *role, bool is_writable, int *ret_fd,
                                    struct err *err);

#endif
