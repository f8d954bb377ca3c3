// SPDX-License-Identifier: MIT
// A disk that may be overwritten: opened if it is one, and described.
#ifndef KILN_RELEASE_STICK_DEVICE_H
#define KILN_RELEASE_STICK_DEVICE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct stick_rules {
        bool allow_fixed, allow_file, read_only;
};

// Opens a whole disk for this process alone, or with `allow_file` a regular file. USAGE says why it is none that may be
// overwritten: part of a disk, mounted, swap, part of a RAID, LVM or the like, open elsewhere, fixed, read-only.
must_check bool stick_open(const char *path, const struct stick_rules *rules, int *ret_fd, uint64_t *ret_size_bytes,
                           struct err *err);

// What the disk is and what libblkid finds on it and its partitions, in lines.
void stick_describe(const char *path, int fd, uint64_t size_bytes, struct buf *ret);

// Opens it again, to read what the device has and not what the page cache remembers. `written`: synced.
must_check bool stick_open_uncached(const char *path, int written, int *ret_fd, struct err *err);

// Has the kernel read the partition table anew, as far as it is one of a disk.
void stick_read_partitions(int fd);

#endif
