// SPDX-License-Identifier: MIT
// The tree of an image while it is packed: one node a name, one inode a file; written as inode and directory tables.
#ifndef KILN_ARTEFACT_IMAGE_IMAGE_TREE_H
#define KILN_ARTEFACT_IMAGE_IMAGE_TREE_H

#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sys/stat.h>

#include "artefact/image/image_file.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"

// An inode: several names may point to it.
struct image_node {
        struct stat stat;
        const char *target;           // symbolic links
        char sha256[DIGEST_HEX_SIZE]; // regular files
        const char *capabilities;     // in hexadecimal; NULL: it has none
        sqfs_inode_generic_t *inode;  // regular files: made by the block processor; freed by image_tree_release()
        uint32_t xattr;               // index, or 0xFFFFFFFF
        uint32_t number;              // from 1
        uint32_t links;               // names found
        uint64_t reference;           // place in the inode table
        bool written;
        struct image_name *first, *last; // directories: entries in byte order
        struct image_node *parent;       // directories
        struct image_node *next_hashed;  // nodes with several links, by device and inode
};

struct image_name {
        const char *name;
        struct image_node *node;
        struct image_name *next;
};

enum { IMAGE_TREE_BUCKETS = 4096 };

struct image_tree {
        struct arena *arena;
        struct image_node *root;
        struct image_node **nodes; // in the order found
        size_t node_count;
        struct image_node **stack; // the directories on the way to the last name added; [0] is the root
        size_t depth;
        struct image_node *hashed[IMAGE_TREE_BUCKETS];
};

void image_tree_init(struct image_tree *tree, struct arena *arena, const struct stat *root);

// Adds a name in the order of fs_walk(). A further name of a file already there yields its node, and *ret_new false.
struct image_node *image_tree_add(struct image_tree *tree, const struct fs_entry *entry, bool *ret_new);

// Writes inode and directory tables and notes their places in `super`.
must_check bool image_tree_write(struct image_tree *tree, struct image_file *file, sqfs_compressor_t *compressor,
                                 sqfs_id_table_t *ids, sqfs_super_t *super, struct err *err);

void image_tree_release(struct image_tree *tree);

#endif
