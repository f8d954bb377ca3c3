// SPDX-License-Identifier: MIT
// Files inside a root directory that is opened once. Every path is resolved as if that directory were "/": links,
// absolute ones too, and ".." cannot leave it. Done by hand, one component at a time: EL7's kernel has no openat2(2).
// No link that lies on the state disk is followed, which outlives the image and belongs to services in part:
// ERR_CORRUPT with a hint. That disk is what is mounted at ROOT_STATE_DISK; its directories are mounted elsewhere in
// the root, too.
#ifndef KILN_NODE_ROOT_ROOT_H
#define KILN_NODE_ROOT_ROOT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define ROOT_STATE_DISK "/run/kiln/state"

// Opens the directory that holds `path`'s last part, whose name goes to `ret_name` (heap). `create`: missing
// directories are made with mode 0755. The last part itself is not followed.
must_check bool root_open_parent(int root, const char *path, bool create, int *ret_dir, char **ret_name,
                                 struct err *err);

// Reads a regular file of at most buf->max bytes, links followed inside the root. `*ret_found` false: there is none.
must_check bool root_read(int root, const char *path, struct buf *ret, bool *ret_found, struct err *err);

struct root_file {
        const char *path;
        const void *content;
        size_t size;
        unsigned mode, uid, gid;
};

// Makes a file be exactly this, by a temporary name (".NAME.kiln"), fsync(2) and a rename: whenever the process or the
// machine stops, the old file is there or the new one. A file that is right already is left alone; a link in its place
// is replaced, not followed. `*ret_changed` tells. ERR_DISK_FULL, ERR_SYSTEM with a hint for a root that is read-only.
must_check bool root_write(int root, const struct root_file *file, bool *ret_changed, struct err *err);

// What a killed root_write() left for the path goes too.
must_check bool root_remove(int root, const char *path, bool *ret_changed, struct err *err);

#endif
