// SPDX-License-Identifier: MIT
// Where kiln's own files are: beside the program in a source tree (build/kiln), or below the prefix it was
// installed to (bin/kiln, share/kiln, libexec/kiln).
#ifndef KILN_BASE_LOCATIONS_H
#define KILN_BASE_LOCATIONS_H

#include "base/err.h"
#include "base/mem.h"

struct locations {
        const char *firmware; // holds initramfs/, bootloader/ and node/kiln-node.service
        const char *initramfs, *bootloader;
        const char *kiln_node; // the static helper
        const char *examples;  // holds profiles/, overlays/ and kickstart/, for clusters that have none of their own
};

must_check bool locations_find(struct arena *arena, struct locations *ret, struct err *err);

// $XDG_CACHE_HOME/kiln, or ~/.cache/kiln. Absolute.
const char *locations_default_cache(struct arena *arena);

// An absolute form of a path that may not exist yet.
char *locations_absolute(struct arena *arena, const char *path);

#endif
