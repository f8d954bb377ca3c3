// SPDX-License-Identifier: MIT
// Compressed squashfs blocks by the content that they hold: images have most of their files in common with those that
// were packed before, and compressing is most of the work. A block is copied out of the image that has it, so that none
// is stored a second time. Such an image may have been damaged since: what is found is compared with what it was, and
// whoever takes it compares its content (kept_blocks.c). Safe to use from several threads; one image is packed at a
// time.
#ifndef KILN_ARTEFACT_IMAGE_BLOCK_CACHE_H
#define KILN_ARTEFACT_IMAGE_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "artefact/image/block_index.h"
#include "base/buf.h"

struct block_cache;

// `maker` decides, with what is in a key, how content is compressed (block_index.h).
struct block_cache *block_cache_new(const char *maker);
void block_cache_free(struct block_cache *cache); // NULL is fine

// An image that was packed before, and its index. Of two images with the same block, the first added is asked. False,
// and the descriptor is not taken, if the text is no index of the maker's.
bool block_cache_add_image(struct block_cache *cache, const struct buf *index, int fd);

struct block_settings {
        uint32_t compressor; // SQFS_COMPRESSOR of libsquashfs
        int level;
};

// The key of a block compressed so into at most `most` bytes: checksums of all that. Another block may have it, too,
// since what is found is compared.
void block_cache_key(const void *block, size_t size, const struct block_settings *settings, size_t most,
                     char ret_key[static BLOCK_KEY_SIZE]);

// Reads the compressed bytes. False if no image has the block as it was: what is damaged is told once an image.
bool block_cache_find(struct block_cache *cache, const char *key, void *out, size_t room, struct block_place *ret);

// ---- an image that is packed now ----

// Forgets what was noted of an image that was not finished.
void block_cache_begin(struct block_cache *cache);
// That a block of the image was found as this, or compressed to it; its offset is not known yet. A size of 0 is noted
// for the counts only.
void block_cache_note(struct block_cache *cache, const struct block_place *place, bool is_found);
// Where compressed bytes were written. Of equal blocks, the first place counts.
void block_cache_place(struct block_cache *cache, const void *data, size_t size, uint64_t offset);
// Blocks of the image so far, those of its tables too, which are always compressed.
struct block_counts {
        size_t found, compressed;
};
struct block_counts block_cache_counts(const struct block_cache *cache);
// The image is written: appends its index, and finds its blocks from now on. Takes the descriptor.
void block_cache_finish(struct block_cache *cache, int fd, struct buf *ret_index);

#endif
