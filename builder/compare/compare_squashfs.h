// SPDX-License-Identifier: MIT
// squashfs images.
#ifndef KILN_COMPARE_COMPARE_SQUASHFS_H
#define KILN_COMPARE_COMPARE_SQUASHFS_H

#include "compare/difference.h"

compare_format compare_squashfs;

// The content of a regular file of an image, as far as `ret` may grow. `*ret_found` false: there is none such; no link
// is followed.
must_check bool squashfs_read_file(int fd, const char *path, struct buf *ret, bool *ret_found, struct err *err);

// Unpacks the image into an empty directory: owners, modes, times, links, attributes. Device nodes are left out, which
// no root of kiln's has, and attributes that the file system does not keep.
must_check bool squashfs_unpack(int fd, int to, struct err *err);

#endif
