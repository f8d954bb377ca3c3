// SPDX-License-Identifier: MIT
// rootfs.head and rootfs.tail (shared/node_config.h): with them before and after it, rootfs.squashfs is a newc archive
// (cpio(5), Documentation/driver-api/early-userspace/buffer-format.rst) without a second copy of it on the server.
#include <stdio.h>
#include <string.h>

#include "artefact/internal.h"
#include "base/fs.h"

#define ROOT_NAME "kiln/rootfs.squashfs"

enum { HEADER_BYTES = 110, DIRECTORY_MODE = 040755, FILE_MODE = 0100444 };

// A header and the name, padded with NULs to `name_bytes` in all; the archive's time stamps and owners are 0.
static void append_header(struct buf *buf, unsigned inode, unsigned mode, unsigned links, uint32_t size,
                          const char *name, unsigned name_bytes) {
        buf_printf(buf, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode, mode, 0U, 0U, links, 0U,
                   size, 0U, 0U, 0U, 0U, name_bytes, 0U);
        buf_append_text(buf, name);
        buf_append_zeros(buf, name_bytes - strlen(name));
}

bool carrier_write(const struct artefact_role *role, struct err *err) {
        auto_buf head = { 0 };
        auto_buf tail = { 0 };
        if (role->root_size_bytes > UINT32_MAX)
                return fail(err, ERR_CLUSTER, 0,
                            "role %s: the packed root has %llu bytes, and an initrd carries files below 4 GiB only",
                            role->role->name, (unsigned long long)role->root_size_bytes);
        append_header(&head, 1, DIRECTORY_MODE, 2, 0, "kiln", 6); // 116 bytes: the next header must be 4-byte aligned
        append_header(&head, 2, FILE_MODE, 1, (uint32_t)role->root_size_bytes, ROOT_NAME,
                      (unsigned)(PART_ALIGN_BYTES - head.size - HEADER_BYTES));
        append_header(&tail, 0, 0, 1, 0, "TRAILER!!!", 11);
        buf_append_zeros(&tail, PART_ALIGN_BYTES - tail.size);
        return fs_write(role->out, "rootfs.head", head.data, head.size, 0644, err) &&
               fs_write(role->out, "rootfs.tail", tail.data, tail.size, 0644, err);
}
