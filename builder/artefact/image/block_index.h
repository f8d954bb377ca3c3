// SPDX-License-Identifier: MIT
// Where the compressed blocks of an image lie, by the content that they hold, as a text beside the image:
//
//     kiln blocks MAKER
//     KEY OFFSET SIZE SUM      a line a block, in the order of keys
//     sha256 DIGEST            of all lines above
//
// MAKER is what decides how content is compressed: other code may give other bits. A text that is not whole, or another
// maker's, is none. Blocks that compression makes no smaller are not told of.
#ifndef KILN_ARTEFACT_IMAGE_BLOCK_INDEX_H
#define KILN_ARTEFACT_IMAGE_BLOCK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { BLOCK_KEY_SIZE = 33, BLOCK_SUM_SIZE = 17 }; // hex

struct block_place {
        char key[BLOCK_KEY_SIZE]; // of the content: block_cache_key()
        char sum[BLOCK_SUM_SIZE]; // of the compressed bytes: block_sum()
        uint64_t offset;          // in the image
        uint32_t size;            // of the compressed bytes
};

// CRC-32 and Adler-32 of compressed bytes. They find damage, and nothing rests on them alone: whoever takes a block
// compares its content, which takes less time than a digest that nobody can forge.
void block_sum(const void *data, size_t size, char ret_sum[static BLOCK_SUM_SIZE]);

// Appends the text. Sorts `places`.
void block_index_format(struct block_place *places, size_t count, const char *maker, struct buf *ret);

// The blocks that a text tells of, on the heap; NULL and 0 if it is not whole or not of this maker.
struct block_place *block_index_parse(const struct buf *text, const char *maker, size_t *ret_count);

#endif
