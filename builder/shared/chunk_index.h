// SPDX-License-Identifier: MIT
// rootfs.chunks: where the content of a root is cut, and the SHA-256 of each piece. A root of the next build has nearly
// all of its pieces in common with this one, so that a node which keeps this one fetches the others only.
//
// The file is an index of a blob as casync and desync write and read it (.caibx; casync's src/caformat.h and
// src/caindex.c), byte for byte what `casync make --digest=sha256 --chunk-size=16384:65536:262144` makes of the root.
// All numbers are 64 bits, little endian:
//
//     48, CHUNK_FORMAT_INDEX, flags, 16384, 65536, 262144
//     2^64-1, CHUNK_FORMAT_TABLE
//     of each chunk, in order: where it ends, and the 32 bytes of its SHA-256
//     0, 0, 48 (where the table begins), size of the table, CHUNK_FORMAT_TAIL
//
// chunk_cutter.h finds where to cut.
#ifndef KILN_SHARED_CHUNK_INDEX_H
#define KILN_SHARED_CHUNK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CHUNK_INDEX_NAME "rootfs.chunks"

enum {
        CHUNK_MIN_BYTES = 16 << 10, // the last one may be smaller
        CHUNK_AVERAGE_BYTES = 64 << 10,
        CHUNK_MAX_BYTES = 256 << 10,
        CHUNK_DIGEST_BYTES = 32,
        CHUNK_INDEX_MAX_CHUNKS = 1 << 19, // of a root of 32 GiB
        CHUNK_INDEX_MAX_BYTES = 64 + 40 * (CHUNK_INDEX_MAX_CHUNKS + 1),
};

struct chunk {
        uint64_t offset;
        uint32_t size;
        uint8_t digest[CHUNK_DIGEST_BYTES];
};

// The whole of a file: chunks follow each other without a gap.
struct chunk_index {
        struct chunk *chunks;
        size_t n;
        uint64_t size_bytes; // of the file
};

#define auto_chunk_index __attribute__((cleanup(chunk_index_release))) struct chunk_index

// ERR_CORRUPT, with what is wrong, for anything that chunk_index_format() would not write, but for the flags: those
// that say what an archive leaves out mean nothing for a blob. `ret` is the caller's to release.
must_check bool chunk_index_read(const void *bytes, size_t size, struct chunk_index *ret, struct err *err);

// Adds the piece that follows the last one. ERR_REFERENCE: there are too many already.
must_check bool chunk_index_append(struct chunk_index *index, uint32_t size,
                                   const uint8_t digest[static CHUNK_DIGEST_BYTES], struct err *err);
void chunk_index_format(const struct chunk_index *index, struct buf *ret);
void chunk_index_release(struct chunk_index *index);

#endif
