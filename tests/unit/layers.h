// SPDX-License-Identifier: MIT

#include "rootfs/rootfs.h"
// A layer for a test: found, or made.
#ifndef KILN_TESTS_UNIT_LAYERS_H
#define KILN_TESTS_UNIT_LAYERS_H

static inline bool layer_install(const struct rootfs_options *options, const struct package_set *set,
                                 const struct layer *parent, const struct package_set *parent_set, struct arena *arena,
                                 struct layer **ret, struct err *err) {
        struct layer *layer;
        layer_find(options, set, parent, NULL, arena, &layer);
        if (!layer_obtain(options, layer, true, set, parent_set, err))
                return false;
        *ret = layer;
        return true;
}

#endif
