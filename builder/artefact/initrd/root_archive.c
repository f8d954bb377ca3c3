// SPDX-License-Identifier: MIT
#include "artefact/initrd/root_archive.h"

#include <assert.h>
#include <string.h>

#include "artefact/initrd/initrd_part.h"
#include "base/buf.h"
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

// The directory's header has 116 bytes with its name, so that the file's header is 4-byte aligned. The file's name is
// padded until the root itself begins at a multiple of the parts' alignment.
static void append_head(struct buf *buf, uint32_t root_size) {
        append_header(buf, 1, DIRECTORY_MODE, 2, 0, "kiln", 6);
        size_t name_bytes = INITRD_PART_ALIGN_BYTES - buf->size - HEADER_BYTES;
        append_header(buf, 2, FILE_MODE, 1, root_size, ROOT_NAME, (unsigned)name_bytes);
        assert(buf->size == INITRD_PART_ALIGN_BYTES);
}

static void append_tail(struct buf *buf) {
        append_header(buf, 0, 0, 1, 0, "TRAILER!!!", 11);
        buf_append_zeros(buf, INITRD_PART_ALIGN_BYTES - buf->size);
}

bool root_archive_holds(uint64_t root_size_bytes) { return root_size_bytes <= UINT32_MAX; }

bool root_archive_write(int dir, uint64_t root_size_bytes, struct err *err) {
        auto_buf head = { 0 };
        auto_buf tail = { 0 };
        assert(root_size_bytes > 0 && root_archive_holds(root_size_bytes));
        append_head(&head, (uint32_t)root_size_bytes);
        append_tail(&tail);
        return fs_write(dir, "rootfs.head", head.data, head.size, 0644, err) &&
               fs_write(dir, "rootfs.tail", tail.data, tail.size, 0644, err);
}
