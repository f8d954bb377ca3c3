// SPDX-License-Identifier: MIT
// Copies of files for the cache and for exports. A copy appears under its name when it is complete: until then it has
// a temporary name beside it. No fsync: the files carry checksums, and whoever reads them checks these.
#ifndef KILN_PACKAGES_FETCH_FILE_COPY_H
#define KILN_PACKAGES_FETCH_FILE_COPY_H

#include <stdbool.h>

#include "base/err.h"

must_check bool file_copy(const char *from, const char *to, struct err *err);
// Copies from a descriptor, from its offset to the end of the file.
must_check bool file_write_whole(int from, const char *to, struct err *err);

#endif
