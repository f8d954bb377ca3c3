// SPDX-License-Identifier: MIT
#include "artefact/image/image_tree.h"

#include <assert.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { NO_XATTRS = 0xFFFFFFFF };

static struct image_node *add_node(struct image_tree *tree, const struct stat *stat) {
        struct image_node *node = arena_alloc(tree->arena, sizeof *node);
        node->stat = *stat;
        node->xattr = NO_XATTRS;
        *array_append(&tree->nodes, &tree->node_count) = node;
        node->number = (uint32_t)tree->node_count;
        return node;
}

// Makes a directory the one that the walk is in, at this depth. The deeper ones on the stack are done.
static void enter_directory(struct image_tree *tree, size_t depth, struct image_node *node) {
        tree->depth = depth;
        *array_append(&tree->stack, &tree->depth) = node;
}

void image_tree_init(struct image_tree *tree, struct arena *arena, const struct stat *root) {
        *tree = (struct image_tree){ .arena = arena };
        tree->root = add_node(tree, root);
        tree->root->links = 1;
        enter_directory(tree, 0, tree->root);
}

// The node of a file whose other name was already seen; otherwise a new one.
static struct image_node *find_or_add(struct image_tree *tree, const struct stat *stat, bool *ret_new) {
        *ret_new = true;
        if (S_ISDIR(stat->st_mode) || stat->st_nlink < 2)
                return add_node(tree, stat);
        struct image_node **bucket = &tree->hashed[(stat->st_ino ^ stat->st_dev) % IMAGE_TREE_BUCKETS];
        for (struct image_node *node = *bucket; node; node = node->next_hashed)
                if (node->stat.st_ino == stat->st_ino && node->stat.st_dev == stat->st_dev) {
                        *ret_new = false;
                        return node;
                }
        struct image_node *node = add_node(tree, stat);
        node->next_hashed = *bucket;
        *bucket = node;
        return node;
}

static size_t depth_of(const char *path) {
        size_t depth = 0;
        for (; *path; path++)
                if (*path == '/')
                        depth++;
        return depth;
}

struct image_node *image_tree_add(struct image_tree *tree, const struct fs_entry *entry, bool *ret_new) {
        size_t depth = depth_of(entry->path);
        assert(depth < tree->depth); // else the parent was not added before
        struct image_node *parent = tree->stack[depth];
        struct image_node *node = find_or_add(tree, entry->stat, ret_new);
        node->links++;
        struct image_name *name = arena_alloc(tree->arena, sizeof *name);
        *name = (struct image_name){ arena_strdup(tree->arena, entry->name), node, NULL };
        if (parent->last)
                parent->last->next = name;
        else
                parent->first = name;
        parent->last = name;
        if (S_ISDIR(entry->stat->st_mode)) {
                node->parent = parent;
                enter_directory(tree, depth + 1, node);
        }
        return node;
}

// ---- tables ----

struct tables {
        struct image_tree *tree;
        struct image_file *file;
        sqfs_id_table_t *ids;
        sqfs_meta_writer_t *inodes, *directories;
        sqfs_dir_writer_t *dir_writer;
};

// The format counts seconds from 1970 to 2106.
static sqfs_u32 squashfs_time(int64_t seconds) {
        if (seconds < 0)
                return 0;
        if (seconds > UINT32_MAX)
                return UINT32_MAX;
        return (sqfs_u32)seconds;
}

static bool place_inode(struct tables *tables, struct image_node *node, sqfs_inode_generic_t *inode, struct err *err) {
        inode->base.mode = (sqfs_u16)node->stat.st_mode;
        inode->base.mod_time = squashfs_time(node->stat.st_mtim.tv_sec);
        inode->base.inode_number = node->number;
        int status = sqfs_id_table_id_to_index(tables->ids, node->stat.st_uid, &inode->base.uid_idx);
        if (status == 0)
                status = sqfs_id_table_id_to_index(tables->ids, node->stat.st_gid, &inode->base.gid_idx);
        if (status == 0 && node->xattr != NO_XATTRS)
                status = sqfs_inode_set_xattr_index(inode, node->xattr);
        sqfs_u64 block = 0;
        sqfs_u32 offset = 0;
        sqfs_meta_writer_get_position(tables->inodes, &block, &offset);
        if (status == 0)
                status = sqfs_meta_writer_write_inode(tables->inodes, inode);
        node->reference = block << 16 | offset;
        node->written = true;
        return status == 0 || image_fail(err, tables->file, status, "write inode");
}

static sqfs_u32 device_number(dev_t device) {
        unsigned low = minor(device);
        return (low & 0xff) | major(device) << 8 | (low & ~0xffU) << 12;
}

static bool place_file(struct tables *tables, struct image_node *node, struct err *err) {
        if (node->links > 1) {
                int status = sqfs_inode_make_extended(node->inode);
                if (status != 0)
                        return image_fail(err, tables->file, status, "extend inode");
                node->inode->data.file_ext.nlink = node->links;
        }
        return place_inode(tables, node, node->inode, err);
}

static bool place_link(struct tables *tables, struct image_node *node, struct err *err) {
        size_t size = strlen(node->target);
        auto_free sqfs_inode_generic_t *inode = xcalloc(1, sizeof *inode + size + 1);
        inode->base.type = SQFS_INODE_SLINK;
        inode->data.slink.nlink = node->links;
        inode->data.slink.target_size = (sqfs_u32)size;
        inode->payload_bytes_available = (sqfs_u32)size;
        inode->payload_bytes_used = (sqfs_u32)size;
        memcpy(inode->extra, node->target, size);
        return place_inode(tables, node, inode, err);
}

static bool place_device(struct tables *tables, struct image_node *node, struct err *err) {
        sqfs_inode_generic_t inode = { .base.type = SQFS_INODE_CDEV };
        if (S_ISBLK(node->stat.st_mode))
                inode.base.type = SQFS_INODE_BDEV;
        inode.data.dev.nlink = node->links;
        inode.data.dev.devno = device_number(node->stat.st_rdev);
        return place_inode(tables, node, &inode, err);
}

static bool place_pipe_or_socket(struct tables *tables, struct image_node *node, struct err *err) {
        sqfs_inode_generic_t inode = { .base.type = SQFS_INODE_SOCKET };
        if (S_ISFIFO(node->stat.st_mode))
                inode.base.type = SQFS_INODE_FIFO;
        inode.data.ipc.nlink = node->links;
        return place_inode(tables, node, &inode, err);
}

static int list_entries(struct tables *tables, const struct image_node *node, sqfs_u32 *ret_subdirectories) {
        int status = sqfs_dir_writer_begin(tables->dir_writer, 0);
        for (const struct image_name *name = node->first; name && status == 0; name = name->next) {
                status = sqfs_dir_writer_add_entry(tables->dir_writer, name->name, name->node->number,
                                                   name->node->reference, (sqfs_u16)name->node->stat.st_mode);
                if (S_ISDIR(name->node->stat.st_mode))
                        ++*ret_subdirectories;
        }
        if (status != 0)
                return status;
        return sqfs_dir_writer_end(tables->dir_writer);
}

// The root has no parent: it gets a number that no inode has.
static sqfs_u32 parent_number(const struct image_tree *tree, const struct image_node *node) {
        if (node->parent)
                return node->parent->number;
        return (sqfs_u32)tree->node_count + 1;
}

static bool place_directory(struct tables *tables, struct image_node *node, struct err *err) {
        sqfs_u32 subdirectories = 0;
        int status = list_entries(tables, node, &subdirectories);
        if (status != 0)
                return image_fail(err, tables->file, status, "write directory");
        sqfs_u32 parent = parent_number(tables->tree, node);
        sqfs_inode_generic_t *inode = sqfs_dir_writer_create_inode(tables->dir_writer, 0, node->xattr, parent);
        if (!inode)
                return image_fail(err, NULL, SQFS_ERROR_ALLOC, "write directory");
        // The library counts every entry; a directory's links are its subdirectories', "." and the parent's.
        if (inode->base.type == SQFS_INODE_DIR)
                inode->data.dir.nlink = subdirectories + 2;
        else
                inode->data.dir_ext.nlink = subdirectories + 2;
        bool ok = place_inode(tables, node, inode, err);
        sqfs_free(inode);
        return ok;
}

// A directory names its entries by the places of their inodes, so its own inode comes after theirs. The recursion is as
// deep as the tree is; fs_walk(), which found the tree, recursed as deep.
static bool write_inodes(struct tables *tables, struct image_node *node, struct err *err) {
        if (node->written)
                return true;
        if (S_ISREG(node->stat.st_mode))
                return place_file(tables, node, err);
        if (S_ISLNK(node->stat.st_mode))
                return place_link(tables, node, err);
        if (S_ISBLK(node->stat.st_mode) || S_ISCHR(node->stat.st_mode))
                return place_device(tables, node, err);
        if (!S_ISDIR(node->stat.st_mode))
                return place_pipe_or_socket(tables, node, err);
        for (struct image_name *name = node->first; name; name = name->next)
                if (!write_inodes(tables, name->node, err))
                        return false;
        return place_directory(tables, node, err);
}

static bool flush_tables(struct tables *tables, sqfs_super_t *super, struct err *err) {
        int status = sqfs_meta_writer_flush(tables->inodes);
        if (status == 0)
                status = sqfs_meta_writer_flush(tables->directories);
        super->directory_table_start = tables->file->size;
        if (status == 0)
                status = sqfs_meta_write_write_to_file(tables->directories);
        return status == 0 || image_fail(err, tables->file, status, "write inode table");
}

bool image_tree_write(struct image_tree *tree, struct image_file *file, sqfs_compressor_t *compressor,
                      sqfs_id_table_t *ids, sqfs_super_t *super, struct err *err) {
        struct tables tables = { tree, file, ids, NULL, NULL, NULL };
        super->inode_table_start = file->size;
        super->inode_count = (sqfs_u32)tree->node_count;
        tables.inodes = sqfs_meta_writer_create(&file->base, compressor, 0);
        tables.directories = sqfs_meta_writer_create(&file->base, compressor, SQFS_META_WRITER_KEEP_IN_MEMORY);
        if (tables.directories)
                tables.dir_writer = sqfs_dir_writer_create(tables.directories, 0);
        bool ok = tables.inodes && tables.dir_writer && ids;
        if (!ok)
                image_fail(err, NULL, SQFS_ERROR_ALLOC, "set up the tables");
        ok = ok && write_inodes(&tables, tree->root, err) && flush_tables(&tables, super, err);
        super->root_inode_ref = tree->root->reference;
        sqfs_destroy(tables.dir_writer);
        sqfs_destroy(tables.directories);
        sqfs_destroy(tables.inodes);
        return ok;
}

void image_tree_release(struct image_tree *tree) {
        for (size_t i = 0; i < tree->node_count; i++)
                sqfs_free(tree->nodes[i]->inode);
        free(tree->nodes);
        free(tree->stack);
}
