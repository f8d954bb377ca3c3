// SPDX-License-Identifier: MIT
// A squashfs compressor that writes zlib streams by libdeflate: several times faster than zlib at the same size.
// Any reader of "gzip" squashfs images reads them.
#ifndef KILN_ARTEFACT_IMAGE_DEFLATE_H
#define KILN_ARTEFACT_IMAGE_DEFLATE_H

#include <sqfs/compressor.h>
#include <stdint.h>

#include "artefact/image/block_cache.h"

enum { DEFLATE_LEVEL_MIN = 1, DEFLATE_LEVEL_MAX = 12 };

// The caller owns it: sqfs_destroy(). Blocks that `blocks` (may be NULL, outlives it) has are copied from there if they
// hold what they should, and all are noted there. It only compresses; libsquashfs' own gzip compressor reads what it
// wrote.
sqfs_compressor_t *deflate_new(int level, uint32_t block_bytes, struct block_cache *blocks);

#endif
