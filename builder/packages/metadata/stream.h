// SPDX-License-Identifier: MIT
// A compressed file, decompressed by a thread of its own while libsolv parses: a fifth of the time that metadata takes
// to load.
#ifndef KILN_PACKAGES_METADATA_STREAM_H
#define KILN_PACKAGES_METADATA_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct stream;
// CORRUPT: the compression, which the end of `name` tells, is not known. The descriptor stays the caller's.
// `strip_primary`: the thread leaves out of primary.xml what no solver reads (primary_strip.h).
// More than `max_bytes` of text, or XML that would fill the memory (xml_guard.h), end it early.
must_check bool stream_open(int fd, const char *name, bool strip_primary, uint64_t max_bytes, struct stream **ret,
                            struct err *err);
FILE *stream_file(const struct stream *stream);
// False: the compressed file is damaged. `ret_wrong`: why the text was cut off, or NULL: then a parser's complaint of
// it counts for nothing.
bool stream_close(struct stream *stream, const char **ret_wrong);

#endif
