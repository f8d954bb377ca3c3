// SPDX-License-Identifier: MIT
// Files on a disk that somebody else may have written, or that is damaged. No link is followed, wherever it leads, and
// ".." is no part of a path; what is neither a directory nor a regular file is not opened, so that nothing blocks. By
// hand, one component at a time, as EL7's kernel has no openat2(2) with RESOLVE_NO_SYMLINKS. What is written there is
// written by root_write() into a directory that was opened here.
#ifndef KILN_NODE_ROOT_BENEATH_H
#define KILN_NODE_ROOT_BENEATH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

// Opens the directory at `path` below the directory `top` ("": `top` itself); slashes at its begin are ignored.
// `create`: missing ones are made, mode 0755. ERR_CORRUPT with a hint if a part is no directory; ERR_SYSTEM (ENOENT,
// for example).
must_check bool beneath_open_directory(int top, const char *path, bool create, int *ret_dir, struct err *err);

// The same for the directory that holds the last part of `path`, where `ret_name` points into `path`.
must_check bool beneath_open_parent(int top, const char *path, bool create, int *ret_dir, const char **ret_name,
                                    struct err *err);

// Reads a regular file of at most buf->max bytes. `*ret_found` false: it or its directory is not there. ERR_CORRUPT
// with a hint if it is anything else, or larger.
must_check bool beneath_read(int top, const char *path, struct buf *ret, bool *ret_found, struct err *err);

// Opens (O_PATH) a regular file that has this name alone: one that is written in place must not be another file, too.
// `*ret_fd` -1: there is nothing of the kind.
must_check bool beneath_open_own_file(int top, const char *path, int *ret_fd, struct err *err);

#endif
