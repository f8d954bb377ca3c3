// SPDX-License-Identifier: MIT
#include "artefact/image/deflate.h"

#include <assert.h>
#include <libdeflate.h>
#include <sqfs/error.h>

#include "base/mem.h"

// Of the two, one is there.
struct deflate {
        sqfs_compressor_t base;
        int level;
        uint32_t block_bytes;
        struct libdeflate_compressor *compressor;
        struct libdeflate_decompressor *decompressor;
};

static void deflate_destroy(sqfs_object_t *object) {
        struct deflate *deflate = (struct deflate *)object;
        libdeflate_free_compressor(deflate->compressor);
        libdeflate_free_decompressor(deflate->decompressor);
        free(deflate);
}

// The block processor copies the compressor once for every worker thread.
static sqfs_object_t *deflate_copy(const sqfs_object_t *object) {
        const struct deflate *deflate = (const struct deflate *)object;
        if (deflate->decompressor)
                return (sqfs_object_t *)inflate_new(deflate->block_bytes);
        return (sqfs_object_t *)deflate_new(deflate->level, deflate->block_bytes);
}

static void deflate_configuration(const sqfs_compressor_t *compressor, sqfs_compressor_config_t *config) {
        const struct deflate *deflate = (const struct deflate *)compressor;
        *config = (sqfs_compressor_config_t){
                .id = SQFS_COMP_GZIP,
                .block_size = deflate->block_bytes,
                .level = SQFS_GZIP_DEFAULT_LEVEL,
                .opt.gzip.window_size = SQFS_GZIP_DEFAULT_WINDOW,
        };
        if (deflate->decompressor)
                config->flags = SQFS_COMP_FLAG_UNCOMPRESS;
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
        return (sqfs_s32)libdeflate_zlib_compress(deflate->compressor, in, size, out, most_of(size, room));
}

static sqfs_s32 inflate_block(sqfs_compressor_t *compressor, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                              sqfs_u32 room) {
        const struct deflate *deflate = (const struct deflate *)compressor;
        size_t unpacked;
        enum libdeflate_result result =
            libdeflate_zlib_decompress(deflate->decompressor, in, size, out, room, &unpacked);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
                return SQFS_ERROR_OVERFLOW;
        if (result != LIBDEFLATE_SUCCESS)
                return SQFS_ERROR_CORRUPTED;
        return (sqfs_s32)unpacked;
}

static struct deflate *new_deflate(uint32_t block_bytes) {
        struct deflate *deflate = xcalloc(1, sizeof *deflate);
        deflate->base.base = (sqfs_object_t){ deflate_destroy, deflate_copy };
        deflate->base.get_configuration = deflate_configuration;
        deflate->base.write_options = deflate_no_options;
        deflate->base.read_options = deflate_no_options;
        deflate->block_bytes = block_bytes;
        return deflate;
}

sqfs_compressor_t *deflate_new(int level, uint32_t block_bytes) {
        assert(level >= DEFLATE_LEVEL_MIN && level <= DEFLATE_LEVEL_MAX);
        struct deflate *deflate = new_deflate(block_bytes);
        deflate->base.do_block = deflate_block;
        deflate->level = level;
        deflate->compressor = libdeflate_alloc_compressor(level);
        if (!deflate->compressor)
                abort(); // out of memory
        return &deflate->base;
}

sqfs_compressor_t *inflate_new(uint32_t block_bytes) {
        struct deflate *deflate = new_deflate(block_bytes);
        deflate->base.do_block = inflate_block;
        deflate->decompressor = libdeflate_alloc_decompressor();
        if (!deflate->decompressor)
                abort(); // out of memory
        return &deflate->base;
}
