// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_METADATA_REPOMD_FETCH_H
#define KILN_PACKAGES_METADATA_REPOMD_FETCH_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/metadata/source.h"

// Reads repomd.xml, with its signature where that is demanded, from the first mirror whose is good.
must_check bool source_announcement(struct source *source, struct err *err);

#endif
