// SPDX-License-Identifier: MIT
// How a process comes into a container: what scriptlets (container_init.c) and people at a terminal (sandbox_shell.c)
// share. In a mount namespace of its own, in this order.
#ifndef KILN_SANDBOX_CONTAINER_INSIDE_H
#define KILN_SANDBOX_CONTAINER_INSIDE_H

#include "base/err.h"

// Mounts the root, which is attached nowhere, and makes it the working directory.
must_check bool container_enter_root(int root, struct err *err);
// Below the working directory: /proc, as far as it may be seen, a few devices, an empty /sys.
must_check bool container_mount_views(struct err *err);
// The working directory becomes the root of this mount namespace, and everything else leaves it.
must_check bool container_pivot(struct err *err);
// Keeps what rpm and scriptlets need, and lets no program get more.
must_check bool container_drop_capabilities(struct err *err);

#endif
