// SPDX-License-Identifier: MIT
// The boot loaders of a release, unpacked once for a set of packages: an entry of the cache (CACHE_BOOTLOADER).
#ifndef KILN_BUILD_BOOTLOADER_TREE_H
#define KILN_BUILD_BOOTLOADER_TREE_H

#include <stdint.h>

#include "base/err.h"
#include "cache/cache.h"
#include "packages/packages.h"

struct bootloader_tree {
        struct cache *cache;
        const struct package_set *packages; // fetched
        const char *maker;                  // digest of layer_maker (cache/maker.h)
        int64_t source_date_epoch;
};

// Opens the directory with the unpacked packages; finds it in the cache, or makes it there.
must_check bool bootloader_tree_open(const struct bootloader_tree *tree, int *ret_fd, struct err *err);

#endif
