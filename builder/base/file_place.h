// SPDX-License-Identifier: MIT
// Where a file lies and when it was last touched: whether it is the very file that was read before, without reading it.
//
// Nobody gives a file other bytes without a new change time (st_ctim) but by setting the clock or writing to the raw
// disk; programs may set its size and modification time back. The change time of a file moves for harmless reasons too:
// one more or one less hard link, another mode, a copy or an archive (then the inode as well). So a place that is the
// same means the same bytes, and one that differs means that only a digest can tell.
#ifndef KILN_BASE_FILE_PLACE_H
#define KILN_BASE_FILE_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

// The device is left out: its number may be another after a reboot.
struct file_place {
        uint64_t inode;
        uint64_t size_bytes;
        int64_t modified_ns, changed_ns; // since 1970
};

struct file_place file_place_of(const struct stat *stat);
bool file_place_equal(const struct file_place *left, const struct file_place *right);

// Of a regular file, links not followed. False if there is none.
bool file_place_find(int dir, const char *path, struct file_place *ret);

#endif
