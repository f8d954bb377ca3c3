// SPDX-License-Identifier: MIT
// The namespaces that a build lives in. Nothing outside of this folder knows how one is made, and nothing inside of it
// knows of rpm or of layers.
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

#endif
