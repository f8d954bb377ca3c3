// SPDX-License-Identifier: MIT
// The kernel's initramfs format (Documentation/driver-api/early-userspace/buffer-format.rst): newc archives one after
// the other, each plain or compressed by itself, with zeros between them.
#ifndef KILN_COMPARE_UNPACK_H
#define KILN_COMPARE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct newc_entry {
        const char *name; // inside the archive; ends with NUL
        uint32_t inode, mode, uid, gid, links, mtime, major, minor, size;
        const char *data;
};

// Reads the header, name and data at `*offset` and moves it behind them. ERR_CORRUPT if they leave the archive. The end
// of a member is an entry called NEWC_TRAILER; the zeros after it are passed over.
#define NEWC_TRAILER "TRAILER!!!"
must_check bool newc_next(const struct buf *archive, size_t *offset, struct newc_entry *ret, struct err *err);

// The archives of a file (gzip, xz, zstd or plain), unpacked, one behind the other. ERR_CORRUPT also past 1 GiB.
must_check bool newc_unpack(const struct buf *file, struct buf *ret, struct err *err);

#endif
