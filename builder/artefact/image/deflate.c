// SPDX-License-Identifier: MIT
#include "artefact/image/deflate.h"

#include <assert.h>
#include <libdeflate.h>

#include "base/mem.h"

struct deflate {
        sqfs_compressor_t base;
        int level;
        uint32_t block_bytes;
        struct block_cache *blocks;
        struct libdeflate_compressor *compressor;
};

static void deflate_destroy(sqfs_object_t *object) {
        struct deflate *deflate = (struct deflate *)object;
        libdeflate_free_compressor(deflate->compressor);
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

// Returns the compressed size; 0 tells the caller to store the block as it is.
static sqfs_s32 deflate_block(sqfs_compressor_t *compressor, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                              sqfs_u32 room) {
        const struct deflate *deflate = (const struct deflate *)compressor;
        if (size < 2)
                return 0;
        size_t most = most_of(size, room);
        size_t done = 0;
        char key[BLOCK_KEY_SIZE];
        if (deflate->blocks) {
                block_cache_key(in, size, deflate->level, most, key);
                if (block_cache_find(deflate->blocks, key, out, most, &done))
                        return (sqfs_s32)done;
        }
        done = libdeflate_zlib_compress(deflate->compressor, in, size, out, most);
        if (deflate->blocks)
                block_cache_add(deflate->blocks, key, out, done);
        return (sqfs_s32)done;
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
        if (!deflate->compressor)
                abort(); // out of memory
        return &deflate->base;
}
