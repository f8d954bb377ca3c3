// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_METADATA_METADATA_FILE_H
#define KILN_PACKAGES_METADATA_METADATA_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/metadata/source.h"

// A verified metadata file as a file in memory, at whatever offset.
must_check bool source_metadata(struct source *source, const char *what, const struct metadata_file *file, int *ret_fd,
                                struct err *err);
// Puts it into the cache.
must_check bool source_keep(struct source *source, const char *what, const struct metadata_file *file, struct err *err);
must_check bool memory_file(const void *data, size_t size, int *ret_fd, struct err *err);

#endif
