// SPDX-License-Identifier: MIT
// Decompression beside parsing.
#ifndef KILN_PACKAGES_METADATA_STREAM_H
#define KILN_PACKAGES_METADATA_STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

struct stream;
// CORRUPT: the compression, which the end of `name` tells, is not known. The descriptor stays the caller's.
must_check bool stream_open(int fd, const char *name, bool without_prose, struct stream **ret, struct err *err);
FILE *stream_file(const struct stream *stream);
bool stream_close(struct stream *stream); // false: the compressed file is damaged

#endif
