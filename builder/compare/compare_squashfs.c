// SPDX-License-Identifier: MIT
// squashfs, through libsquashfs: names, attributes, extended attributes and content, in the order of their paths.
#include "compare/compare_squashfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 1 << 20, DEPTH_MAX = 1024, NO_XATTRS = 0xFFFFFFFF };

struct image {
        const char *which;
        sqfs_file_t *file;
        sqfs_super_t super;
        sqfs_compressor_t *compressor;
        sqfs_id_table_t *ids;
        sqfs_dir_reader_t *directories;
        sqfs_data_reader_t *data;
        sqfs_xattr_reader_t *xattrs;
        sqfs_tree_node_t *root;
};

struct both {
        struct image expected, found;
        char *left, *right; // CHUNK_BYTES of content each
        struct buf path;
        struct buf *difference;
};

static bool squashfs_corrupt(const struct image *image, int status, const char *what, struct err *err) {
        return fail(err, ERR_CORRUPT, 0, "the %s image: %s: cannot be read (libsquashfs status %d)", image->which, what,
                    status);
}

// ---- opening ----

static void close_squashfs(struct image *image) {
        sqfs_dir_tree_destroy(image->root);
        void *objects[] = {
                image->xattrs, image->data, image->directories, image->ids, image->compressor, image->file
        };
        for (size_t i = 0; i < lengthof(objects); i++)
                if (objects[i])
                        sqfs_destroy(objects[i]);
}

static int make_readers(struct image *image) {
        sqfs_compressor_config_t config;
        int status = sqfs_compressor_config_init(&config, (SQFS_COMPRESSOR)image->super.compression_id,
                                                 image->super.block_size, SQFS_COMP_FLAG_UNCOMPRESS);
        if (status == 0)
                status = sqfs_compressor_create(&config, &image->compressor);
        if (status != 0)
                return status;
        image->ids = sqfs_id_table_create(0);
        image->directories = sqfs_dir_reader_create(&image->super, image->compressor, image->file, 0);
        image->data = sqfs_data_reader_create(image->file, image->super.block_size, image->compressor, 0);
        image->xattrs = sqfs_xattr_reader_create(0);
        if (!image->ids || !image->directories || !image->data || !image->xattrs)
                return SQFS_ERROR_ALLOC;
        return 0;
}

static int load_tables(struct image *image) {
        int status = sqfs_id_table_read(image->ids, image->file, &image->super, image->compressor);
        if (status == 0)
                status = sqfs_data_reader_load_fragment_table(image->data, &image->super);
        if (status == 0 && !(image->super.flags & SQFS_FLAG_NO_XATTRS))
                status = sqfs_xattr_reader_load(image->xattrs, &image->super, image->file, image->compressor);
        return status;
}

static bool open_squashfs(const char *which, int fd, struct image *image, struct err *err) {
        auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
        image->which = which;
        image->file = sqfs_open_file(path, SQFS_FILE_OPEN_READ_ONLY);
        if (!image->file)
                return fail(err, ERR_SYSTEM, 0, "open the %s image", which);
        int status = sqfs_super_read(&image->super, image->file);
        if (status == 0)
                status = make_readers(image);
        if (status != 0)
                return squashfs_corrupt(image, status, "super block", err);
        if ((status = load_tables(image)) != 0)
                return squashfs_corrupt(image, status, "tables", err);
        return true;
}

static bool load_tree(struct image *image, struct err *err) {
        int status = sqfs_dir_reader_get_full_hierarchy(image->directories, image->ids, NULL, 0, &image->root);
        return status == 0 || squashfs_corrupt(image, status, "directories", err);
}

// ---- one file ----

static uint32_t count_links(const sqfs_inode_generic_t *inode) {
        switch (inode->base.type) {
        case SQFS_INODE_EXT_FILE:
                return inode->data.file_ext.nlink;
        case SQFS_INODE_SLINK:
        case SQFS_INODE_EXT_SLINK:
                return inode->data.slink.nlink; // first of both
        case SQFS_INODE_BDEV:
        case SQFS_INODE_CDEV:
        case SQFS_INODE_EXT_BDEV:
        case SQFS_INODE_EXT_CDEV:
                return inode->data.dev.nlink; // first of both
        default:
                return 1; // a directory's follow from what is in it
        }
}

// `room` holds a link's target, which ends with its length in the inode.
static struct attributes attributes_of(const sqfs_tree_node_t *node, char **room) {
        const sqfs_inode_generic_t *inode = node->inode;
        struct attributes to = {
                .mode = inode->base.mode,
                .uid = node->uid,
                .gid = node->gid,
                .mtime = inode->base.mod_time,
                .links = count_links(inode),
        };
        sqfs_u64 size = 0;
        if (S_ISREG(to.mode) && sqfs_inode_get_file_size(inode, &size) == 0)
                to.size = size;
        if (S_ISLNK(to.mode))
                to.target = *room = xstrndup((const char *)inode->extra, inode->payload_bytes_used);
        if (S_ISBLK(to.mode) || S_ISCHR(to.mode)) {
                sqfs_u32 number = inode->data.dev.devno; // in the same place of both kinds
                if (inode->base.type == SQFS_INODE_EXT_BDEV || inode->base.type == SQFS_INODE_EXT_CDEV)
                        number = inode->data.dev_ext.devno;
                to.major = number >> 8 & 0xfff;
                to.minor = (number & 0xff) | (number >> 12 & 0xfff00);
        }
        return to;
}

// Calls back for every attribute, in the image's order.
typedef void xattr_reader(const char *name, const sqfs_xattr_value_t *value, void *context);
static bool each_xattr(struct image *image, const sqfs_inode_generic_t *inode, xattr_reader *each, void *context,
                       struct err *err) {
        sqfs_u32 index = NO_XATTRS;
        sqfs_xattr_id_t entry;
        if (sqfs_inode_get_xattr_index(inode, &index) != 0 || index == NO_XATTRS)
                return true;
        int status = sqfs_xattr_reader_get_desc(image->xattrs, index, &entry);
        if (status == 0)
                status = sqfs_xattr_reader_seek_kv(image->xattrs, &entry);
        for (sqfs_u32 i = 0; status == 0 && i < entry.count; i++) {
                auto_free sqfs_xattr_entry_t *key = NULL;
                auto_free sqfs_xattr_value_t *value = NULL;
                status = sqfs_xattr_reader_read_key(image->xattrs, &key);
                if (status == 0)
                        status = sqfs_xattr_reader_read_value(image->xattrs, key, &value);
                if (status == 0)
                        each((const char *)key->key, value, context);
        }
        return status == 0 || squashfs_corrupt(image, status, "extended attributes", err);
}

// "NAME=BYTES NAME=BYTES"
static void append_xattr(const char *name, const sqfs_xattr_value_t *value, void *context) {
        struct buf *to = context;
        buf_printf(to, "%s%s=", to->size > 0 ? " " : "", name);
        for (sqfs_u32 i = 0; i < value->size; i++)
                buf_printf(to, "%02x", value->value[i]);
}

static bool compare_node_xattrs(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found,
                                struct err *err) {
        auto_buf left = { 0 }, right = { 0 };
        if (!each_xattr(&both->expected, expected->inode, append_xattr, &left, err) ||
            !each_xattr(&both->found, found->inode, append_xattr, &right, err))
                return false;
        if (strcmp(buf_text(&left), buf_text(&right)) == 0)
                return true;
        if (left.size == 0)
                buf_append_text(&left, "none");
        if (right.size == 0)
                buf_append_text(&right, "none");
        buf_printf(both->difference, "%s: extended attributes %s, expected %s", buf_text(&both->path), buf_text(&right),
                   buf_text(&left));
        return true;
}

static bool read_node_content(struct image *image, const sqfs_inode_generic_t *inode, uint64_t offset, char *to,
                              size_t *ret_size, const char *path, struct err *err) {
        sqfs_s32 size = sqfs_data_reader_read(image->data, inode, offset, to, CHUNK_BYTES);
        if (size < 0)
                return squashfs_corrupt(image, size, path, err);
        *ret_size = (size_t)size;
        return true;
}

static bool compare_node_content(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found,
                                 struct err *err) {
        uint64_t offset = 0;
        for (size_t left = 1, right = 1; left > 0 || right > 0;) {
                const char *path = buf_text(&both->path);
                if (!interrupt_check(err) ||
                    !read_node_content(&both->expected, expected->inode, offset, both->left, &left, path, err) ||
                    !read_node_content(&both->found, found->inode, offset, both->right, &right, path, err))
                        return false;
                size_t least = smaller_size(left, right);
                size_t same = difference_of_bytes(both->left, both->right, least);
                offset += same;
                if (same == least && left == right)
                        continue;
                buf_printf(both->difference, "%s: content differs at byte %llu", path, (unsigned long long)offset);
                return true;
        }
        return true;
}

static bool compare_node(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found,
                         struct err *err) {
        auto_free char *left_room = NULL, *right_room = NULL;
        struct attributes left = attributes_of(expected, &left_room), right = attributes_of(found, &right_room);
        const char *path = buf_text(&both->path);
        if (!*path)
                path = "/";
        difference_of_attributes(path, &left, &right, both->difference);
        if (both->difference->size == 0 && !compare_node_xattrs(both, expected, found, err))
                return false;
        if (both->difference->size > 0 || !S_ISREG(left.mode))
                return true;
        if (!compare_node_content(both, expected, found, err))
                return false;
        if (both->difference->size > 0 && left.size != right.size)
                buf_printf(both->difference, ", size %llu, expected %llu", (unsigned long long)right.size,
                           (unsigned long long)left.size);
        return true;
}

// ---- the tree ----

struct children {
        const sqfs_tree_node_t **items;
        size_t count;
};

static int node_order(const void *left, const void *right) {
        const sqfs_tree_node_t *const *a = left, *const *b = right;
        return strcmp((const char *)(*a)->name, (const char *)(*b)->name);
}

static struct children list_children(const sqfs_tree_node_t *node) {
        struct children list = { 0 };
        for (const sqfs_tree_node_t *next = node->children; next; next = next->next)
                *array_append(&list.items, &list.count) = next;
        if (list.count)
                qsort(list.items, list.count, sizeof *list.items, node_order);
        return list;
}

static bool compare_trees(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found, int depth,
                          struct err *err);

static const sqfs_tree_node_t *child_at(const struct children *children, size_t index) {
        if (index == children->count)
                return NULL;
        return children->items[index];
}

static const char *node_name(const sqfs_tree_node_t *node) {
        if (!node)
                return NULL;
        return (const char *)node->name;
}

// One of the two may be NULL: it is not there.
static bool compare_child(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found, int depth,
                          struct err *err) {
        size_t length = both->path.size;
        bool ok = true;
        buf_append_char(&both->path, '/');
        if (!found) {
                buf_append_text(&both->path, node_name(expected));
                buf_printf(both->difference, "%s: missing", buf_text(&both->path));
        } else if (!expected) {
                buf_append_text(&both->path, node_name(found));
                buf_printf(both->difference, "%s: should not be there", buf_text(&both->path));
        } else {
                buf_append_text(&both->path, node_name(found));
                ok = compare_trees(both, expected, found, depth + 1, err);
        }
        both->path.size = length;
        return ok;
}

static bool compare_children(struct both *both, const struct children *expected, const struct children *found,
                             int depth, struct err *err) {
        size_t i = 0, j = 0;
        while ((i < expected->count || j < found->count) && both->difference->size == 0) {
                const sqfs_tree_node_t *left = child_at(expected, i), *right = child_at(found, j);
                struct merge_step step = merge_step_of(node_name(left), node_name(right));
                if (!step.expected)
                        left = NULL;
                if (!step.found)
                        right = NULL;
                if (!compare_child(both, left, right, depth, err))
                        return false;
                i += step.expected;
                j += step.found;
        }
        return true;
}

static bool compare_trees(struct both *both, const sqfs_tree_node_t *expected, const sqfs_tree_node_t *found, int depth,
                          struct err *err) {
        if (depth > DEPTH_MAX)
                return fail(err, ERR_CORRUPT, 0, "the directories are nested too deeply");
        if (!compare_node(both, expected, found, err))
                return false;
        struct children left = list_children(expected), right = list_children(found);
        bool ok = compare_children(both, &left, &right, depth, err);
        free(left.items);
        free(right.items);
        return ok;
}

bool compare_squashfs(const struct compared *files, struct buf *difference, struct err *err) {
        struct both both = { .left = xmalloc(CHUNK_BYTES), .right = xmalloc(CHUNK_BYTES), .difference = difference };
        bool ok = open_squashfs("expected", files->expected, &both.expected, err) && load_tree(&both.expected, err) &&
                  open_squashfs("published", files->found, &both.found, err) && load_tree(&both.found, err) &&
                  compare_trees(&both, both.expected.root, both.found.root, 0, err);
        close_squashfs(&both.expected);
        close_squashfs(&both.found);
        buf_release(&both.path);
        free(both.left);
        free(both.right);
        return ok;
}

// ---- one file of an image ----

static bool read_whole(struct image *image, const sqfs_inode_generic_t *inode, const char *path, struct buf *ret,
                       struct err *err) {
        auto_free char *chunk = xmalloc(CHUNK_BYTES);
        size_t size = 1;
        for (uint64_t offset = 0; size > 0; offset += size) {
                if (!read_node_content(image, inode, offset, chunk, &size, path, err))
                        return false;
                buf_append(ret, chunk, size);
        }
        return !ret->overflow || fail(err, ERR_CORRUPT, 0, "%s is larger than %zu bytes", path, ret->max);
}

static bool read_found(struct image *image, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        auto_free sqfs_inode_generic_t *inode = NULL;
        int status = sqfs_dir_reader_find_by_path(image->directories, NULL, path, &inode);
        *ret_found = status == 0 && S_ISREG(inode->base.mode);
        if (status != 0 && status != SQFS_ERROR_NO_ENTRY && status != SQFS_ERROR_NOT_DIR)
                return squashfs_corrupt(image, status, path, err);
        return !*ret_found || read_whole(image, inode, path, ret, err);
}

bool squashfs_read_file(int fd, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        struct image image = { 0 };
        bool ok = open_squashfs("published", fd, &image, err) && read_found(&image, path, ret, ret_found, err);
        close_squashfs(&image);
        return ok;
}

// ---- all files of an image ----

// A file with several names.
struct unpacked_link {
        sqfs_u32 inode;
        char *path; // of the first
};

struct unpacking {
        struct image image;
        char *chunk; // CHUNK_BYTES
        int to;
        struct buf path; // of the node at hand, below `to`
        struct unpacked_link *links;
        size_t link_count;
};

static bool unpack_content(struct unpacking *unpacking, const sqfs_inode_generic_t *inode, int fd, struct err *err) {
        size_t size = 1;
        for (uint64_t offset = 0; size > 0; offset += size)
                if (!interrupt_check(err) ||
                    !read_node_content(&unpacking->image, inode, offset, unpacking->chunk, &size,
                                       buf_text(&unpacking->path), err) ||
                    !fs_write_all(fd, unpacking->chunk, size, err))
                        return false;
        return true;
}

// What the file system does not keep is left out.
static void put_xattr(const char *name, const sqfs_xattr_value_t *value, void *context) {
        const int *fd = context;
        (void)fsetxattr(*fd, name, value->value, value->size, 0);
}

// The mode last: a new owner takes setuid away.
static bool settle_unpacked_node(struct unpacking *unpacking, const sqfs_tree_node_t *node, int fd, struct err *err) {
        const struct timespec times[2] = { { .tv_sec = node->inode->base.mod_time },
                                           { .tv_sec = node->inode->base.mod_time } };
        bool is_owned = fchown(fd, node->uid, node->gid) == 0;
        if (is_owned && !each_xattr(&unpacking->image, node->inode, put_xattr, &fd, err))
                return wrap(err, "unpack /%s", buf_text(&unpacking->path));
        if (!is_owned || fchmod(fd, node->inode->base.mode & 07777) < 0 || futimens(fd, times) < 0)
                return fail(err, ERR_SYSTEM, errno, "unpack /%s", buf_text(&unpacking->path));
        return true;
}

static const char *find_unpacked(const struct unpacking *unpacking, sqfs_u32 inode) {
        for (size_t i = 0; i < unpacking->link_count; i++)
                if (unpacking->links[i].inode == inode)
                        return unpacking->links[i].path;
        return NULL;
}

static bool unpack_file(struct unpacking *unpacking, const sqfs_tree_node_t *node, const char *path, struct err *err) {
        auto_close int fd = -1;
        if (count_links(node->inode) > 1) {
                const char *first = find_unpacked(unpacking, node->inode->base.inode_number);
                if (first)
                        return linkat(unpacking->to, first, unpacking->to, path, 0) == 0 ||
                               fail(err, ERR_SYSTEM, errno, "link /%s", path);
                *array_append(&unpacking->links, &unpacking->link_count) =
                    (struct unpacked_link){ node->inode->base.inode_number, xstrdup(path) };
        }
        return fs_open(unpacking->to, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, err) &&
               unpack_content(unpacking, node->inode, fd, err) && settle_unpacked_node(unpacking, node, fd, err);
}

static bool unpack_link(struct unpacking *unpacking, const sqfs_tree_node_t *node, const char *path, struct err *err) {
        auto_free char *target = xstrndup((const char *)node->inode->extra, node->inode->payload_bytes_used);
        if (symlinkat(target, unpacking->to, path) == 0 &&
            fchownat(unpacking->to, path, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) == 0)
                return true;
        return fail(err, ERR_SYSTEM, errno, "unpack /%s", path);
}

static bool unpack_node(struct unpacking *unpacking, const sqfs_tree_node_t *node, size_t depth, struct err *err);

static bool unpack_children(struct unpacking *unpacking, const sqfs_tree_node_t *node, size_t depth, struct err *err) {
        size_t length = unpacking->path.size;
        if (depth == DEPTH_MAX)
                return fail(err, ERR_CORRUPT, 0, "the image has more than %d directories in each other", DEPTH_MAX);
        for (const sqfs_tree_node_t *child = node->children; child; child = child->next) {
                if (length > 0)
                        buf_append_char(&unpacking->path, '/');
                buf_append_text(&unpacking->path, (const char *)child->name);
                bool is_name = !strchr((const char *)child->name, '/');
                if (!is_name || !fs_path_is_safe(buf_text(&unpacking->path)))
                        return fail(err, ERR_CORRUPT, 0, "the image has a file %s", buf_text(&unpacking->path));
                if (!unpack_node(unpacking, child, depth + 1, err))
                        return false;
                unpacking->path.size = length;
                unpacking->path.data[length] = '\0';
        }
        return true;
}

static bool unpack_directory(struct unpacking *unpacking, const sqfs_tree_node_t *node, const char *path, size_t depth,
                             struct err *err) {
        auto_close int fd = -1;
        bool is_top = *path == '\0';
        if (!is_top && mkdirat(unpacking->to, path, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "unpack /%s", path);
        return fs_open_dir(unpacking->to, is_top ? "." : path, &fd, err) &&
               unpack_children(unpacking, node, depth, err) && settle_unpacked_node(unpacking, node, fd, err);
}

static bool unpack_node(struct unpacking *unpacking, const sqfs_tree_node_t *node, size_t depth, struct err *err) {
        auto_free char *path = xstrdup(buf_text(&unpacking->path));
        mode_t mode = node->inode->base.mode;
        if (S_ISDIR(mode))
                return unpack_directory(unpacking, node, path, depth, err);
        if (S_ISREG(mode))
                return unpack_file(unpacking, node, path, err);
        if (S_ISLNK(mode))
                return unpack_link(unpacking, node, path, err);
        bool is_device = S_ISBLK(mode) || S_ISCHR(mode);
        return is_device || mknodat(unpacking->to, path, mode, 0) == 0 ||
               fail(err, ERR_SYSTEM, errno, "unpack /%s", path);
}

bool squashfs_unpack(int fd, int to, struct err *err) {
        struct unpacking unpacking = { .chunk = xmalloc(CHUNK_BYTES), .to = to };
        bool ok = open_squashfs("published", fd, &unpacking.image, err) && load_tree(&unpacking.image, err) &&
                  unpack_node(&unpacking, unpacking.image.root, 0, err);
        close_squashfs(&unpacking.image);
        for (size_t i = 0; i < unpacking.link_count; i++)
                free(unpacking.links[i].path);
        free(unpacking.links);
        free(unpacking.chunk);
        buf_release(&unpacking.path);
        return ok;
}
