// SPDX-License-Identifier: MIT
// What the readers of formats share: how two files, or entries of two archives, differ.
#ifndef KILN_COMPARE_DIFFERENCE_H
#define KILN_COMPARE_DIFFERENCE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

// Two files of one name, open for reading, at any offset.
struct compared {
        const char *name; // its end decides how it is read: rootfs.squashfs, initrd.img, *.cpio, *.iso, *.json
        int expected, found;
};

// Compares two files of one format, and says in `difference` where they begin to differ, or nothing. A file that is
// damaged is ERR_CORRUPT.
typedef bool compare_format(const struct compared *files, struct buf *difference, struct err *err);

// What inode and header of a file say. Texts may be NULL.
struct attributes {
        mode_t mode; // type and permissions
        uint32_t uid, gid;
        int64_t mtime;
        uint64_t size; // of regular files
        uint32_t links;
        uint32_t major, minor; // of devices
        const char *target;    // of symbolic links
};

// Notes the first attribute of `path` that differs.
void difference_of_attributes(const char *path, const struct attributes *expected, const struct attributes *found,
                              struct buf *difference);

// The offset of the first byte that differs among `size` bytes; `size` if none does.
size_t difference_of_bytes(const void *expected, const void *found, size_t size);

// The smaller of two sizes.
size_t smaller_size(size_t left, size_t right);

// The next step through two lists that are sorted in the same order, of which one may be at its end: which of the two
// elements are to be taken.
struct merge_step {
        bool expected, found; // both: they have the same name
};
struct merge_step merge_step_of(const char *expected_name, const char *found_name); // NULL: at its end

#endif
