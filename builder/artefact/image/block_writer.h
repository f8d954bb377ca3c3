// SPDX-License-Identifier: MIT
// libsquashfs's writer of data blocks, that tells a block_cache where each compressed block lies.
#ifndef KILN_ARTEFACT_IMAGE_BLOCK_WRITER_H
#define KILN_ARTEFACT_IMAGE_BLOCK_WRITER_H

#include <sqfs/block_writer.h>

#include "artefact/image/block_cache.h"
#include "artefact/image/image_file.h"

// The caller owns it: sqfs_destroy(). Both arguments outlive it; `blocks` may be NULL. NULL if memory is short.
sqfs_block_writer_t *block_writer_new(struct image_file *file, struct block_cache *blocks, size_t align_bytes);

#endif
