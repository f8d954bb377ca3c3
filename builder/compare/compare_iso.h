// SPDX-License-Identifier: MIT
// ISO 9660 images.
#ifndef KILN_COMPARE_COMPARE_ISO_H
#define KILN_COMPARE_COMPARE_ISO_H

#include "compare/difference.h"

compare_format compare_iso;

// Calls back for every regular file of an ISO, with its path (no leading slash) and sha256.
typedef bool iso_file_visit(const char *path, const char *sha256, void *context, struct err *err);
must_check bool iso_each_file(int fd, iso_file_visit *visit, void *context, struct err *err);

#endif
