// SPDX-License-Identifier: MIT
// A squashfs image of a directory tree, by libsquashfs. The same tree gives the same bytes, whatever the number of
// threads.
#ifndef KILN_ARTEFACT_IMAGE_IMAGE_H
#define KILN_ARTEFACT_IMAGE_IMAGE_H

#include <stdint.h>

#include "artefact/image/block_cache.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/progress.h"

enum { IMAGE_ALIGN_BYTES = 4096 };

struct image_options {
        const char *compressor;     // "gzip", "xz", "zstd"
        int level;                  // gzip: libdeflate's 1..12; 0: the compressor's own default
        uint32_t block_bytes;       // a power of two, 4096..1048576
        int64_t source_date_epoch;  // when the image was made; its files keep their own times
        unsigned jobs;              // compressing threads
        struct block_cache *blocks; // of images packed before; learns where this one's lie; may be NULL; gzip only
        struct progress *progress;  // told of file bytes read; may be NULL
};

// ERR_SCHEMA if libsquashfs or the format cannot do what the options say.
must_check bool image_check(const struct image_options *options, struct err *err);

// Packs everything below `root` into the empty file `fd`, padded with zeros to IMAGE_ALIGN_BYTES. Hard links stay hard
// links, whiteouts are left out, stand-ins (base/stand_in.h) become what they stand for. Data lies in the order of
// paths: a node reads the image once, forward, to check its digest, and takes what it needs from memory then. `files`
// gets the list of file_list.h, digests included, from the same read. With options->blocks, block_cache_finish() is the
// caller's.
must_check bool image_write(const struct image_options *options, int root, int fd, struct buf *files, struct err *err);

#endif
