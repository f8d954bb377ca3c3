// SPDX-License-Identifier: MIT
// Metadata files that repomd.xml names: found on this machine, in the cache, or fetched, and taken as a private copy in
// memory. What was verified is then what is read, whoever changes the file meanwhile.
#ifndef KILN_PACKAGES_METADATA_METADATA_FILE_H
#define KILN_PACKAGES_METADATA_METADATA_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/metadata/source.h"

// Opens the verified file; the descriptor's offset may be anywhere. `what` is for messages: "primary metadata".
// NETWORK, CHECKSUM, CORRUPT (too large).
must_check bool metadata_file_open(struct source *source, const char *what, const struct metadata_file *file,
                                   int *ret_fd, struct err *err);
// Puts the verified file into the cache.
must_check bool metadata_file_keep(struct source *source, const char *what, const struct metadata_file *file,
                                   struct err *err);
// These bytes as a file that has no name.
must_check bool memory_file(const void *data, size_t size, int *ret_fd, struct err *err);

#endif
