// SPDX-License-Identifier: MIT
// The blocks of the roots that the cache has packed, for the next one: beside each image lies the index of its blocks
// (image/block_index.h).
#ifndef KILN_ARTEFACT_PACKED_BLOCKS_H
#define KILN_ARTEFACT_PACKED_BLOCKS_H

#include "artefact/artefact.h"
#include "artefact/image/block_cache.h"

#define ROOT_IMAGE_NAME "rootfs.squashfs"
#define ROOT_BLOCKS_NAME "blocks"

// Those of the newest images that this kiln packed. What cannot be read is left out, since all of it can be made again.
// None of these entries is needed by the build for that. block_cache_free().
struct block_cache *packed_blocks_open(const struct artefact_build *build);

// A root was packed in `dir`: writes its index, and has its blocks found from now on. Nothing without build->blocks.
must_check bool packed_blocks_keep(const struct artefact_build *build, int dir, struct err *err);

#endif
