// SPDX-License-Identifier: MIT
// repomd.xml: which metadata files a repository has, with their checksums.
#ifndef KILN_PACKAGES_METADATA_REPOMD_H
#define KILN_PACKAGES_METADATA_REPOMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/metadata/source.h"

// Sets the source's metadata files and `published`. CORRUPT: it does not parse, lists no primary metadata, or names a
// location that leads outside or a checksum no better than MD5.
must_check bool repomd_parse(struct source *source, const char *bytes, size_t size, struct err *err);

#endif
