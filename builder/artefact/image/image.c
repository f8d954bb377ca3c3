// SPDX-License-Identifier: MIT
#include "artefact/image/image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqfs/block_processor.h>
#include <sqfs/compressor.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/inode.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "artefact/image/block_writer.h"
#include "artefact/image/deflate.h"
#include "artefact/image/file_list.h"
#include "artefact/image/image_file.h"
#include "artefact/image/image_tree.h"
#include "artefact/image/kept_blocks.h"
#include "artefact/image/xattr.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/stand_in.h"

enum { READ_BYTES = 1 << 20, DEFLATE_LEVEL_DEFAULT = 6, BLOCKS_A_WORKER = 10, FILES_A_FRESH_START = 128 };

// Everything that one image needs while its data blocks are written.
struct image {
        const struct image_options *options;
        struct arena arena;
        struct image_file file;
        sqfs_compressor_t *compressor, *decompressor;
        sqfs_block_writer_t *blocks;
        sqfs_frag_table_t *fragments;
        sqfs_block_processor_t *processor;
        sqfs_xattr_writer_t *xattrs;
        struct image_tree tree;
        struct buf *files;
        char *block;
};

static bool is_gzip(const struct image_options *options) { return strcmp(options->compressor, "gzip") == 0; }

// libsquashfs' compressor or decompressor by its name; a negative status if it has none.
static int create_compressor(const struct image_options *options, sqfs_u16 flags, sqfs_compressor_t **ret) {
        sqfs_compressor_config_t config;
        int id = sqfs_compressor_id_from_name(options->compressor);
        if (id < 0)
                return id;
        int status = sqfs_compressor_config_init(&config, (SQFS_COMPRESSOR)id, options->block_bytes, flags);
        if (status != 0)
                return status;
        bool compresses = (flags & SQFS_COMP_FLAG_UNCOMPRESS) == 0;
        if (compresses && options->level != 0)
                config.level = (sqfs_u32)options->level;
        return sqfs_compressor_create(&config, ret);
}

static bool not_available(const struct image_options *options, struct err *err) {
        return fail(err, ERR_SCHEMA, 0, "squashfs compressor %s at level %d is not available", options->compressor,
                    options->level);
}

static int deflate_level(const struct image_options *options) {
        if (options->level == 0)
                return DEFLATE_LEVEL_DEFAULT;
        return options->level;
}

static bool make_compressor(const struct image_options *options, sqfs_compressor_t **ret, struct err *err) {
        if (!is_gzip(options))
                return create_compressor(options, 0, ret) == 0 || not_available(options, err);
        *ret = deflate_new(deflate_level(options), options->block_bytes);
        return true;
}

static bool make_decompressor(const struct image_options *options, sqfs_compressor_t **ret, struct err *err) {
        if (!is_gzip(options))
                return create_compressor(options, SQFS_COMP_FLAG_UNCOMPRESS, ret) == 0 || not_available(options, err);
        *ret = inflate_new(options->block_bytes);
        return true;
}

// Takes what is kept of images before, if anything is.
static bool keep_blocks(const struct image_options *options, sqfs_compressor_t **compressor, struct err *err) {
        sqfs_compressor_t *decompressor = NULL;
        if (!options->blocks)
                return true;
        if (!make_decompressor(options, &decompressor, err))
                return false;
        *compressor = kept_blocks_new(*compressor, decompressor, options->level, options->block_bytes, options->blocks);
        return true;
}

bool image_check(const struct image_options *options, struct err *err) {
        uint32_t size = options->block_bytes;
        bool is_power_of_two = (size & (size - 1)) == 0;
        if (size < SQFS_MIN_BLOCK_SIZE || size > SQFS_MAX_BLOCK_SIZE || !is_power_of_two)
                return fail(err, ERR_SCHEMA, 0, "squashfs block size %u is not a power of two from %d to %d", size,
                            SQFS_MIN_BLOCK_SIZE, SQFS_MAX_BLOCK_SIZE);
        bool is_level = options->level >= DEFLATE_LEVEL_MIN && options->level <= DEFLATE_LEVEL_MAX;
        if (is_gzip(options) && options->level != 0 && !is_level)
                return fail(err, ERR_SCHEMA, 0, "squashfs level %d is not in %d..%d", options->level, DEFLATE_LEVEL_MIN,
                            DEFLATE_LEVEL_MAX);
        sqfs_compressor_t *compressor = NULL;
        if (!make_compressor(options, &compressor, err))
                return false;
        sqfs_destroy(compressor);
        return true;
}

// ---- data ----

static bool append_file(struct image *image, int fd, struct image_node *node, struct err *err) {
        struct digest *digest = digest_new("sha256");
        uint64_t size = 0;
        int status = 0;
        ssize_t got;
        while ((got = read(fd, image->block, READ_BYTES)) > 0 && status == 0 && !interrupt_requested()) {
                digest_update(digest, image->block, (size_t)got);
                status = sqfs_block_processor_append(image->processor, image->block, (size_t)got);
                size += (uint64_t)got;
                if (image->options->progress)
                        progress_add(image->options->progress, (uint64_t)got);
        }
        int number = errno;
        digest_final(digest, node->sha256);
        if (!interrupt_check(err))
                return false;
        if (got < 0)
                return fail(err, ERR_SYSTEM, number, "read");
        if (status != 0)
                return image_fail(err, &image->file, status, "compress");
        if (size != (uint64_t)node->stat.st_size)
                return fail(err, ERR_SYSTEM, 0, "its size changed while it was packed");
        return true;
}

static bool pack_file(struct image *image, const struct fs_entry *entry, struct image_node *node, struct err *err) {
        auto_close int fd = openat(entry->parent, entry->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open");
        int status = sqfs_block_processor_begin_file(image->processor, &node->inode, NULL, 0);
        if (status != 0)
                return image_fail(err, &image->file, status, "begin file");
        if (!append_file(image, fd, node, err))
                return false;
        status = sqfs_block_processor_end_file(image->processor);
        return status == 0 || image_fail(err, &image->file, status, "end file");
}

static void note_capabilities(struct image *image, const struct xattrs *xattrs, struct image_node *node) {
        for (size_t i = 0; i < xattrs->count; i++) {
                const struct xattr *xattr = &xattrs->items[i];
                auto_buf hex = { 0 };
                if (strcmp(xattr->name, "security.capability") != 0)
                        continue;
                for (size_t j = 0; j < xattr->size; j++)
                        buf_printf(&hex, "%02x", xattr->value[j]);
                node->capabilities = arena_strdup(&image->arena, buf_text(&hex));
        }
}

static bool pack_xattrs(struct image *image, int parent, const char *name, struct image_node *node, struct err *err) {
        struct xattrs xattrs = { 0 };
        if (!xattrs_read(parent, name, &xattrs, err))
                return false;
        if (xattrs.count == 0)
                return true;
        int status = sqfs_xattr_writer_begin(image->xattrs, 0);
        note_capabilities(image, &xattrs, node);
        for (size_t i = 0; i < xattrs.count && status == 0; i++)
                status = sqfs_xattr_writer_add(image->xattrs, xattrs.items[i].name, xattrs.items[i].value,
                                               xattrs.items[i].size);
        if (status == 0)
                status = sqfs_xattr_writer_end(image->xattrs, &node->xattr);
        xattrs_release(&xattrs);
        return status == 0 || image_fail(err, &image->file, status, "extended attributes");
}

static bool read_target(struct image *image, const struct fs_entry *entry, struct image_node *node, struct err *err) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(entry->parent, entry->name, target, sizeof target);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read link");
        if (length == sizeof target)
                return fail(err, ERR_SYSTEM, ENAMETOOLONG, "read link");
        node->target = arena_strndup(&image->arena, target, (size_t)length);
        return true;
}

// Whether the ends of files, which share blocks, begin a new one behind this file. One file more would otherwise move
// those of all files behind it from block to block, and the blocks would hold the same nowhere: at a place that a name
// decides they do so again, and an image has its chunks in common with the one of the build before
// (shared/chunk_index.h).
static bool starts_afresh(const char *path) {
        uint32_t hash = 2166136261; // FNV-1a
        for (; *path; path++)
                hash = (hash ^ (unsigned char)*path) * 16777619;
        return (hash >> 8) % FILES_A_FRESH_START == 0;
}

static bool pack_file_of_image(struct image *image, const struct fs_entry *entry, struct image_node *node,
                               struct err *err) {
        if (!pack_file(image, entry, node, err))
                return false;
        if (!starts_afresh(entry->path))
                return true;
        int status = sqfs_block_processor_finish(image->processor);
        return status == 0 || image_fail(err, &image->file, status, "write data blocks");
}

static bool pack_node(struct image *image, const struct fs_entry *entry, struct image_node *node, struct err *err) {
        if (S_ISREG(node->stat.st_mode) && !pack_file_of_image(image, entry, node, err))
                return false;
        if (S_ISLNK(node->stat.st_mode) && !read_target(image, entry, node, err))
                return false;
        return pack_xattrs(image, entry->parent, entry->name, node, err);
}

static bool pack_entry(const struct fs_entry *found, void *context, struct err *err) {
        struct image *image = context;
        struct stat stat = *found->stat;
        struct fs_entry entry = *found;
        entry.stat = &stat;
        bool is_whiteout = S_ISCHR(stat.st_mode) && stat.st_rdev == 0;
        if (is_whiteout)
                return true; // overlayfs' mark for a path that is not there
        bool is_new;
        if (!stand_in_resolve(entry.parent, entry.name, &stat, err))
                return wrap(err, "/%s", entry.path);
        struct image_node *node = image_tree_add(&image->tree, &entry, &is_new);
        if (is_new && !pack_node(image, &entry, node, err))
                return wrap(err, "/%s", entry.path);
        file_list_add(image->files,
                      &(struct file_record){ entry.path, entry.stat, node->sha256, node->target, node->capabilities });
        return true;
}

// ---- tables ----

// Called when all data is given to the processor. The format fixes the order of the tables that follow the data.
static bool write_tables(struct image *image, sqfs_super_t *super, struct err *err) {
        int status = sqfs_block_processor_finish(image->processor);
        if (status != 0)
                return image_fail(err, &image->file, status, "write data blocks");
        sqfs_id_table_t *ids = sqfs_id_table_create(0);
        if (!image_tree_write(&image->tree, &image->file, image->compressor, ids, super, err)) {
                sqfs_destroy(ids);
                return false;
        }
        sqfs_file_t *file = &image->file.base;
        status = sqfs_frag_table_write(image->fragments, file, super, image->compressor);
        if (status == 0)
                status = sqfs_id_table_write(ids, file, super, image->compressor);
        if (status == 0)
                status = sqfs_xattr_writer_flush(image->xattrs, file, super, image->compressor);
        sqfs_destroy(ids);
        if (status != 0)
                return image_fail(err, &image->file, status, "write tables");
        super->bytes_used = image->file.size;
        status = sqfs_super_write(super, file);
        uint64_t padded = (image->file.size + IMAGE_ALIGN_BYTES - 1) / IMAGE_ALIGN_BYTES * IMAGE_ALIGN_BYTES;
        if (status == 0)
                status = file->truncate(file, padded);
        return status == 0 || image_fail(err, &image->file, status, "write super block");
}

static bool write_start(struct image *image, sqfs_super_t *super, struct err *err) {
        const struct image_options *options = image->options;
        sqfs_compressor_config_t config;
        image->compressor->get_configuration(image->compressor, &config);
        int status = sqfs_super_init(super, options->block_bytes, (sqfs_u32)options->source_date_epoch,
                                     (SQFS_COMPRESSOR)config.id);
        if (status == 0)
                status = sqfs_super_write(super, &image->file.base);
        if (status == 0)
                status = image->compressor->write_options(image->compressor, &image->file.base);
        if (status < 0)
                return image_fail(err, &image->file, status, "write super block");
        if (status > 0)
                super->flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;
        return true;
}

static bool image_open(struct image *image, struct err *err) {
        const struct image_options *options = image->options;
        if (!image_check(options, err) || !make_compressor(options, &image->compressor, err) ||
            !keep_blocks(options, &image->compressor, err) || !make_decompressor(options, &image->decompressor, err))
                return false;
        image->block = xmalloc(READ_BYTES);
        if (options->blocks)
                block_cache_begin(options->blocks);
        image->blocks = block_writer_new(&image->file, options->blocks, IMAGE_ALIGN_BYTES);
        image->fragments = sqfs_frag_table_create(0);
        image->xattrs = sqfs_xattr_writer_create(0);
        unsigned workers = options->jobs;
        if (workers == 0)
                workers = 1;
        // With the file and a decompressor at hand, equal fragments are compared byte by byte and not by a 32-bit hash.
        sqfs_block_processor_desc_t description = {
                .size = sizeof description,
                .max_block_size = options->block_bytes,
                .num_workers = workers,
                .max_backlog = workers * BLOCKS_A_WORKER,
                .cmp = image->compressor,
                .wr = image->blocks,
                .tbl = image->fragments,
                .file = &image->file.base,
                .uncmp = image->decompressor,
        };
        int status = SQFS_ERROR_ALLOC;
        if (image->blocks && image->fragments && image->xattrs)
                status = sqfs_block_processor_create_ex(&description, &image->processor);
        if (status == SQFS_ERROR_INTERNAL)
                return fail(err, ERR_SYSTEM, 0,
                            "libsquashfs could not start its threads: processes or memory are short");
        return status == 0 || image_fail(err, NULL, status, "set up the block processor");
}

static void image_close(struct image *image) {
        sqfs_destroy(image->processor); // joins its threads, so before everything that they use
        sqfs_destroy(image->xattrs);
        sqfs_destroy(image->fragments);
        sqfs_destroy(image->blocks);
        sqfs_destroy(image->decompressor);
        sqfs_destroy(image->compressor);
        image_tree_release(&image->tree);
        free(image->block);
        arena_release(&image->arena);
}

static bool image_fill(struct image *image, int root, struct err *err) {
        sqfs_super_t super;
        struct stat stat;
        if (!image_open(image, err) || !write_start(image, &super, err))
                return false;
        if (fstat(root, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat the root directory");
        image_tree_init(&image->tree, &image->arena, &stat);
        return pack_xattrs(image, root, ".", image->tree.root, err) && fs_walk(root, pack_entry, image, err) &&
               write_tables(image, &super, err);
}

bool image_write(const struct image_options *options, int root, int fd, struct buf *files, struct err *err) {
        assert(fd >= 0 && files);
        struct image image = { .options = options, .files = files };
        image_file_init(&image.file, fd);
        bool ok = image_fill(&image, root, err);
        image_close(&image);
        return ok;
}
