// SPDX-License-Identifier: MIT
// The boot loaders of a release, unpacked once for a set of packages: an entry of the cache (CACHE_BOOTLOADER).
#ifndef KILN_BUILD_BOOTLOADER_TREE_H
#define KILN_BUILD_BOOTLOADER_TREE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cache/cache.h"
#include "packages/packages.h"

struct bootloader_tree {
        struct cache *cache;
        const struct package_set *packages; // fetched
        const char *maker;                  // digest of layer_maker (cache/maker.h)
        int64_t source_date_epoch;
};

// Appends all that decides it, a line "WORD VALUE" each.
void bootloader_tree_inputs(const struct bootloader_tree *tree, struct buf *ret);
// Whether the cache has it whole. Makes nothing.
must_check bool bootloader_tree_look(const struct bootloader_tree *tree, bool *ret_cached, struct err *err);

// Opens the directory with the unpacked packages; finds it in the cache, or makes it there.
must_check bool bootloader_tree_open(const struct bootloader_tree *tree, int *ret_fd, struct err *err);

#endif
