// SPDX-License-Identifier: MIT
#include "artefact/image/block_writer.h"

#include <sqfs/block.h>
#include <stdlib.h>

#include "base/mem.h"

struct block_writer {
        sqfs_block_writer_t base;
        sqfs_block_writer_t *writer; // libsquashfs's own
        struct image_file *file;
        struct block_cache *blocks;
};

static void block_writer_destroy(sqfs_object_t *object) {
        struct block_writer *writer = (struct block_writer *)object;
        sqfs_destroy(writer->writer);
        free(writer);
}

// It writes at the end of the file. After the last block of a file that equals an earlier one it takes the file's
// blocks away again: those were noted where they lay before.
static int write_and_place(sqfs_block_writer_t *base, void *user, sqfs_u32 size, sqfs_u32 checksum, sqfs_u32 flags,
                           const sqfs_u8 *data, sqfs_u64 *location) {
        const struct block_writer *writer = (const struct block_writer *)base;
        uint64_t offset = writer->file->size;
        int status = writer->writer->write_data_block(writer->writer, user, size, checksum, flags, data, location);
        bool is_compressed = size > 0 && (flags & SQFS_BLK_IS_COMPRESSED) != 0;
        if (status == 0 && is_compressed && writer->file->size == offset + size)
                block_cache_place(writer->blocks, data, size, offset);
        return status;
}

static sqfs_u64 count_written_blocks(const sqfs_block_writer_t *base) {
        const struct block_writer *writer = (const struct block_writer *)base;
        return writer->writer->get_block_count(writer->writer);
}

sqfs_block_writer_t *block_writer_new(struct image_file *file, struct block_cache *blocks, size_t align_bytes) {
        sqfs_block_writer_t *plain = sqfs_block_writer_create(&file->base, align_bytes, 0);
        if (!plain || !blocks)
                return plain;
        struct block_writer *writer = xcalloc(1, sizeof *writer);
        writer->base = (sqfs_block_writer_t){
                .base = { block_writer_destroy, NULL },
                .write_data_block = write_and_place,
                .get_block_count = count_written_blocks,
        };
        writer->writer = plain;
        writer->file = file;
        writer->blocks = blocks;
        return &writer->base;
}
