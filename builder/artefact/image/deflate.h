// SPDX-License-Identifier: MIT
// Squashfs compressors that write and read zlib streams by libdeflate: several times faster than zlib at the same size.
// Any reader of "gzip" squashfs images reads them.
#ifndef KILN_ARTEFACT_IMAGE_DEFLATE_H
#define KILN_ARTEFACT_IMAGE_DEFLATE_H

#include <sqfs/compressor.h>
#include <stdint.h>

enum { DEFLATE_LEVEL_MIN = 1, DEFLATE_LEVEL_MAX = 12 };

// The caller owns it: sqfs_destroy().
sqfs_compressor_t *deflate_new(int level, uint32_t block_bytes);

// Reads what the former wrote, as libsquashfs' own gzip compressor does.
sqfs_compressor_t *inflate_new(uint32_t block_bytes);

#endif
