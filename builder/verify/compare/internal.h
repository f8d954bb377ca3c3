// SPDX-License-Identifier: MIT
// What the readers share. Each compares two files of its format; a file that is damaged is ERR_CORRUPT.
#ifndef KILN_VERIFY_COMPARE_INTERNAL_H
#define KILN_VERIFY_COMPARE_INTERNAL_H

#include <sys/types.h>

#include "verify/compare/compare.h"

typedef bool compare_format(const struct compared *files, struct buf *difference, struct err *err);
compare_format compare_squashfs, compare_newc, compare_iso, compare_json;

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
void compare_attributes(const char *path, const struct attributes *expected, const struct attributes *found,
                        struct buf *difference);

// The offset of the first byte that differs among `size` bytes; `size` if none does.
size_t compare_bytes(const void *expected, const void *found, size_t size);

#endif
