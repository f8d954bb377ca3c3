// SPDX-License-Identifier: MIT
// A compressed file, decompressed by a thread of its own while libsolv parses: a fifth of the time that metadata takes
// to load.
#ifndef KILN_PACKAGES_METADATA_STREAM_H
#define KILN_PACKAGES_METADATA_STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

struct stream;
// CORRUPT: the compression, which the end of `name` tells, is not known. The descriptor stays the caller's.
// `strip_primary`: the thread leaves out of primary.xml what no solver reads (primary_strip.h).
must_check bool stream_open(int fd, const char *name, bool strip_primary, struct stream **ret, struct err *err);
FILE *stream_file(const struct stream *stream);
bool stream_close(struct stream *stream); // false: the compressed file is damaged

#endif
