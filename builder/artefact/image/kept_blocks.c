// SPDX-License-Identifier: MIT
#include "artefact/image/kept_blocks.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

struct kept_blocks {
        sqfs_compressor_t base;
        sqfs_compressor_t *compressor, *decompressor;
        struct block_settings settings;
        uint32_t block_bytes;
        struct block_cache *blocks;
        sqfs_u8 *content; // what a block that was found had: block_bytes
};

static void kept_destroy(sqfs_object_t *object) {
        struct kept_blocks *kept = (struct kept_blocks *)object;
        sqfs_destroy(kept->compressor);
        sqfs_destroy(kept->decompressor);
        free(kept->content);
        free(kept);
}

static sqfs_object_t *kept_copy(const sqfs_object_t *object) {
        const struct kept_blocks *kept = (const struct kept_blocks *)object;
        sqfs_compressor_t *compressor = (sqfs_compressor_t *)sqfs_copy(kept->compressor);
        sqfs_compressor_t *decompressor = (sqfs_compressor_t *)sqfs_copy(kept->decompressor);
        if (!compressor || !decompressor)
                abort(); // out of memory
        return (sqfs_object_t *)kept_blocks_new(compressor, decompressor, kept->settings.level, kept->block_bytes,
                                                kept->blocks);
}

static void kept_configuration(const sqfs_compressor_t *compressor, sqfs_compressor_config_t *config) {
        const struct kept_blocks *kept = (const struct kept_blocks *)compressor;
        kept->compressor->get_configuration(kept->compressor, config);
}

static int kept_write_options(sqfs_compressor_t *compressor, sqfs_file_t *file) {
        const struct kept_blocks *kept = (const struct kept_blocks *)compressor;
        return kept->compressor->write_options(kept->compressor, file);
}

static int kept_read_options(sqfs_compressor_t *compressor, sqfs_file_t *file) {
        const struct kept_blocks *kept = (const struct kept_blocks *)compressor;
        return kept->compressor->read_options(kept->compressor, file);
}

// Whoever wrote to an image in the cache decides nothing of another one.
static bool holds(const struct kept_blocks *kept, const sqfs_u8 *compressed, uint32_t size, const sqfs_u8 *in,
                  uint32_t in_size) {
        sqfs_s32 unpacked = kept->decompressor->do_block(kept->decompressor, compressed, size, kept->content, in_size);
        return unpacked >= 0 && (uint32_t)unpacked == in_size && memcmp(kept->content, in, in_size) == 0;
}

// What is not smaller than the block itself, no compressor would have handed out.
static bool find_kept(const struct kept_blocks *kept, const char *key, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                      sqfs_u32 room, struct block_place *ret) {
        return size <= kept->block_bytes && block_cache_find(kept->blocks, key, out, room, ret) && ret->size < size &&
               holds(kept, out, ret->size, in, size);
}

// A block that does not get smaller has size 0; an error is less.
static sqfs_s32 kept_block(sqfs_compressor_t *compressor, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out,
                           sqfs_u32 room) {
        const struct kept_blocks *kept = (const struct kept_blocks *)compressor;
        struct block_place place = { 0 };
        char key[BLOCK_KEY_SIZE];
        block_cache_key(in, size, &kept->settings, room, key);
        bool is_found = find_kept(kept, key, in, size, out, room, &place);
        if (!is_found) {
                sqfs_s32 done = kept->compressor->do_block(kept->compressor, in, size, out, room);
                if (done < 0)
                        return done;
                place.size = (uint32_t)done;
                block_sum(out, place.size, place.sum);
        }
        memcpy(place.key, key, sizeof place.key);
        block_cache_note(kept->blocks, &place, is_found);
        return (sqfs_s32)place.size;
}

sqfs_compressor_t *kept_blocks_new(sqfs_compressor_t *compressor, sqfs_compressor_t *decompressor, int level,
                                   uint32_t block_bytes, struct block_cache *blocks) {
        assert(compressor && decompressor && blocks);
        struct kept_blocks *kept = xcalloc(1, sizeof *kept);
        sqfs_compressor_config_t config;
        compressor->get_configuration(compressor, &config);
        kept->base.base = (sqfs_object_t){ kept_destroy, kept_copy };
        kept->base.get_configuration = kept_configuration;
        kept->base.write_options = kept_write_options;
        kept->base.read_options = kept_read_options;
        kept->base.do_block = kept_block;
        kept->compressor = compressor;
        kept->decompressor = decompressor;
        kept->settings = (struct block_settings){ (uint32_t)config.id, level };
        kept->block_bytes = block_bytes;
        kept->blocks = blocks;
        kept->content = xmalloc(block_bytes);
        return &kept->base;
}
