// SPDX-License-Identifier: MIT
// repomd.xml and its signature, from the first mirror whose repomd.xml is good. A mirror that is stale, damaged or
// wrongly signed is passed over as long as there is another.
#ifndef KILN_PACKAGES_METADATA_REPOMD_FETCH_H
#define KILN_PACKAGES_METADATA_REPOMD_FETCH_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/metadata/source.h"

// Sets what source.h says of repomd.xml. NETWORK, SIGNATURE (where a signature is demanded), CORRUPT, DOWNGRADE (older
// than the newest that the cache has seen).
must_check bool repomd_fetch(struct source *source, struct err *err);

#endif
