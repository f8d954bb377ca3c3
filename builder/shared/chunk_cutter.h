// SPDX-License-Identifier: MIT
// Where casync cuts a stream of bytes into chunks of CHUNK_MIN_BYTES to CHUNK_MAX_BYTES (its src/cachunker.c): behind
// the first 48 bytes whose cyclic polynomial hash is one less than a multiple of a fixed number. What comes after an
// insertion is therefore cut as it was before.
//
//     struct chunk_cutter cutter = { 0 };
//     while (size > 0) {
//             bool ends;
//             size_t taken = chunk_cutter_take(&cutter, data, size, &ends);
//             ... these bytes go to the chunk's digest, and if it ends, the next byte begins another one
//             data += taken;
//             size -= taken;
//     }
#ifndef KILN_SHARED_CHUNK_CUTTER_H
#define KILN_SHARED_CHUNK_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHUNK_WINDOW_BYTES = 48 };

// A zeroed one stands at the beginning of a file.
struct chunk_cutter {
        uint32_t hash;                      // of the window, once the chunk has CHUNK_MIN_BYTES
        uint32_t size;                      // of the chunk so far
        uint8_t window[CHUNK_WINDOW_BYTES]; // a byte lies at its place in the chunk modulo CHUNK_WINDOW_BYTES
};

// How many of the next `size` bytes belong to the chunk that the cutter is in. `*ret_ends`: the chunk ends behind them,
// and the cutter stands before the next one; otherwise all bytes were taken. The end of a file ends its last chunk,
// too, which the caller knows.
size_t chunk_cutter_take(struct chunk_cutter *cutter, const void *data, size_t size, bool *ret_ends);

#endif
