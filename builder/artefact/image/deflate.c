// SPDX-License-Identifier: MIT
#include "artefact/image/deflate.h"

#include <assert.h>
#include <libdeflate.h>
#include <string.h>

#include "base/mem.h"

struct deflate {
        sqfs_compressor_t base;
        int level;
        uint32_t block_bytes;
        struct block_cache *blocks;
        struct libdeflate_compressor *compressor;
        struct libdeflate_decompressor *decompressor; // with `blocks`: of what is found there
        void *content;                                // with `blocks`: what it had, block_bytes
};

static void deflate_destroy(sqfs_object_t *object) {
        struct deflate *deflate = (struct deflate *)object;
        libdeflate_free_compressor(deflate->compressor);
        libdeflate_free_decompressor(deflate->decompressor);
        free(deflate->content);
        free(deflate);
}

// The block processor copies the compressor once for every worker thread.
static sqfs_object_t *deflate_copy(const sqfs_object_t *object) {
        const struct deflate *deflate = (const struct deflate *)object;
        return (sqfs_object_t *)deflate_new(deflate->level, deflate->block_bytes, deflate->blocks);
}

static void deflate_configuration(const sqfs_compressor_t *compressor, sqfs_compressor_config_t *config) {
        const struct deflate *deflate = (const struct deflate *)compressor;
        *config = (sqfs_compressor_config_t){
                .id = SQFS_COMP_GZIP,
                .block_size = deflate->block_bytes,
                .level = SQFS_GZIP_DEFAULT_LEVEL,
                .opt.gzip.window_size = SQFS_GZIP_DEFAULT_WINDOW,
        };
}

// Readers need nothing but zlib's format, so the image carries no compressor options.
static int deflate_no_options(sqfs_compressor_t *compressor, sqfs_file_t *file) {
        (void)compressor;
        (void)file;
        return 0;
}

// What a compressed block may have at most: it must fit the caller's room, and one that is not smaller than the block
// itself is of no use.
static size_t most_of(sqfs_u32 size, sqfs_u32 room) {
        if (room < size)
                return room;
        return size - 1;
}

// Whoever wrote to an image in the cache decides nothing of another one.
static bool holds(const struct deflate *deflate, const void *compressed, size_t size, const void *in, size_t in_size) {
        enum libdeflate_result result =
            libdeflate_zlib_decompress(deflate->decompressor, compressed, size, deflate->content, in_size, NULL);
        return result == LIBDEFLATE_SUCCESS && memcmp(deflate->content, in, in_size) == 0;
}

static void compress_block(const struct deflate *deflate, const void *in, size_t size, void *out, size_t most,
                           struct block_place *ret) {
        ret->size = (uint32_t)libdeflate_zlib_compress(deflate->compressor, in, size, out, most);
        block_sum(out, ret->size, ret->sum);
}

static sqfs_s32 find_or_compress(const struct deflate *deflate, const void *in, size_t size, void *out, size_t most) {
        struct block_place place = { 0 };
        char key[BLOCK_KEY_SIZE];
        block_cache_key(in, size, deflate->level, most, key);
        bool is_found = size <= deflate->block_bytes && block_cache_find(deflate->blocks, key, out, most, &place) &&
                        holds(deflate, out, place.size, in, size);
        if (!is_found)
                compress_block(deflate, in, size, out, most, &place);
        memcpy(place.key, key, sizeof place.key);
        block_cache_note(deflate->blocks, &place, is_found);
        return (sqfs_s32)place.size;
}

// Returns the compressed size; 0 tells the caller to store the block as it is.
static sqfs_s32 deflate_block(sqfs_compressor_t *compressor, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                              sqfs_u32 room) {
        const struct deflate *deflate = (const struct deflate *)compressor;
        if (size < 2)
                return 0;
        size_t most = most_of(size, room);
        if (deflate->blocks)
                return find_or_compress(deflate, in, size, out, most);
        return (sqfs_s32)libdeflate_zlib_compress(deflate->compressor, in, size, out, most);
}

sqfs_compressor_t *deflate_new(int level, uint32_t block_bytes, struct block_cache *blocks) {
        assert(level >= DEFLATE_LEVEL_MIN && level <= DEFLATE_LEVEL_MAX);
        struct deflate *deflate = xcalloc(1, sizeof *deflate);
        deflate->base.base = (sqfs_object_t){ deflate_destroy, deflate_copy };
        deflate->base.get_configuration = deflate_configuration;
        deflate->base.write_options = deflate_no_options;
        deflate->base.read_options = deflate_no_options;
        deflate->base.do_block = deflate_block;
        deflate->level = level;
        deflate->block_bytes = block_bytes;
        deflate->blocks = blocks;
        deflate->compressor = libdeflate_alloc_compressor(level);
        if (blocks) {
                deflate->decompressor = libdeflate_alloc_decompressor();
                deflate->content = xmalloc(block_bytes);
        }
        bool is_ready = deflate->compressor && (!blocks || deflate->decompressor);
        if (!is_ready)
                abort(); // out of memory
        return &deflate->base;
}
