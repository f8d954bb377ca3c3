// SPDX-License-Identifier: MIT
// A squashfs compressor that takes what images before it compressed (block_cache.h), whichever compressor made them.
#ifndef KILN_ARTEFACT_IMAGE_KEPT_BLOCKS_H
#define KILN_ARTEFACT_IMAGE_KEPT_BLOCKS_H

#include <sqfs/compressor.h>
#include <stdint.h>

#include "artefact/image/block_cache.h"

// Takes a compressor at a level, and one of the same kind that unpacks; sqfs_destroy() ends all three. Blocks that
// `blocks`, which outlives them, has are copied from there if they hold what they should, and all are noted there.
sqfs_compressor_t *kept_blocks_new(sqfs_compressor_t *compressor, sqfs_compressor_t *decompressor, int level,
                                   uint32_t block_bytes, struct block_cache *blocks);

#endif
