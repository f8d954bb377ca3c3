// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_METADATA_REPOMD_H
#define KILN_PACKAGES_METADATA_REPOMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "packages/metadata/source.h"

must_check bool repomd_parse(struct source *source, const char *bytes, size_t size, struct err *err);

#endif
