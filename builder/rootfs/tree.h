// SPDX-License-Identifier: MIT
// Files inside a writable image, a root or the merged tree of a configuration layer.
#ifndef KILN_ROOTFS_TREE_H
#define KILN_ROOTFS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

// `root` is the image, `path` one of its paths, with a leading "/" or without; the image's links are followed as if it
// were "/". REFERENCE for a path with ".." or one that is a directory where a file or a link is to be.

// Opens the directory of a path; `create` makes it and what is above. `*ret_name` is the rest of the path.
must_check bool tree_open_parent(int root, const char *path, bool create, int *ret_fd, const char **ret_name,
                                 struct err *err);
// Writes a file anew, its directories too. A link in its place is replaced.
must_check bool tree_write(int root, const char *path, const void *data, size_t size, unsigned mode, unsigned uid,
                           unsigned gid, struct err *err);
// Makes a symbolic link; one that leads there already stays as it is.
must_check bool tree_link(int root, const char *path, const char *target, struct err *err);
// Makes a directory and what is above, or gives one that is there the owner and mode.
must_check bool tree_mkdir(int root, const char *path, unsigned mode, unsigned uid, unsigned gid, struct err *err);
// Removes a file or a whole tree; an absent one is fine.
must_check bool tree_remove(int root, const char *path, struct err *err);
// An absent file is empty text.
must_check bool tree_read(int root, const char *path, struct buf *ret_text, struct err *err);
bool tree_exists(int root, const char *path); // the last link is not followed

// Gives everything below a directory, but not itself, one time: whole seconds, which every archive keeps.
must_check bool tree_settle(int dir, int64_t seconds, struct err *err);

#endif
