// SPDX-License-Identifier: MIT
// The namespaces that a build lives in. Nothing outside of this directory knows how one is made.
#ifndef KILN_SANDBOX_SANDBOX_H
#define KILN_SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

// Enters the build's own user (unless root) and mount namespaces, once, before any thread or layer: mounts
// vanish with the process however it ends. As a plain user it maps all subordinate ids through newuidmap/newgidmap.
// ERR_SANDBOX says in one sentence what is missing and the remedy.
// Directories that are to be mounted (work directories, roots) must be opened afterwards: a descriptor from before
// belongs to the mount namespace that was left. On return the process is uid 0 with umask 022.
must_check bool sandbox_enter(struct err *err);

// Whether this process lives in a user namespace that is not the system's first: owners are shifted on disk, and
// overlayfs keeps its marks in user.* attributes.
bool sandbox_is_mapped(void);
// Text that differs between processes that see the same files with other owners; "" outside of user namespaces.
char *sandbox_mapping(void);

#endif
