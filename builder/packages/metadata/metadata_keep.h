// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_METADATA_METADATA_KEEP_H
#define KILN_PACKAGES_METADATA_METADATA_KEEP_H

#include <stdbool.h>

#include "base/err.h"

// Copies a file to another place, where it appears whole.
must_check bool file_copy(const char *from, const char *to, struct err *err);
must_check bool file_write(int from, const char *to, struct err *err); // from the descriptor's offset on

#endif
