// SPDX-License-Identifier: MIT
// Where a node fetches its root.
#ifndef KILN_ARTEFACT_ROOT_URL_H
#define KILN_ARTEFACT_ROOT_URL_H

#include "artefact/artefact.h"

// The URL of the role's root at a server that has the directory of the cluster's builds, at `base`, or at a registry,
// http://HOST/v2/NAME/blobs: one of those of shared/node_config.h. By its digest where the role's nodes keep it, so
// that caches on the way keep it from one build to the next, too; otherwise by the build's id, and never by `current`,
// for a mirror may be a release behind. Heap.
char *root_url(const struct artefact_build *build, const struct artefact_role *role, const char *base);

#endif
