// SPDX-License-Identifier: MIT
// Compressed squashfs blocks by the content that they hold, shared by the images of one build: roles have most of their
// files in common, and compressing is most of the work. Safe to use from several threads. The blocks are in a file
// without a name, so that a killed build leaves none and memory holds only the index.
#ifndef KILN_ARTEFACT_IMAGE_BLOCK_CACHE_H
#define KILN_ARTEFACT_IMAGE_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_KEY_SIZE = 65 }; // SHA-256 in hex

struct block_cache;

// NULL where the file system of `directory` knows no files without names: blocks are then compressed again.
struct block_cache *block_cache_new(const char *directory);
void block_cache_free(struct block_cache *cache); // NULL is fine

// The key of a block compressed at a level into at most `most` bytes.
void block_cache_key(const void *block, size_t size, int level, size_t most, char ret_key[static BLOCK_KEY_SIZE]);

// False if the block is not there. `ret_size` is what was added: 0 for a block that did not become smaller.
bool block_cache_find(struct block_cache *cache, const char *key, void *out, size_t room, size_t *ret_size);
// A block that cannot be written (a full disk) is not added.
void block_cache_add(struct block_cache *cache, const char *key, const void *data, size_t size);

#endif
