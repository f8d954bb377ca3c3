// SPDX-License-Identifier: MIT
// What files of kept roots are called.
#ifndef KILN_NODE_ROOTS_KEPT_NAMES_H
#define KILN_NODE_ROOTS_KEPT_NAMES_H

#include <dirent.h>
#include <stdbool.h>

#include "firmware/node/root/file_sha256.h"

#define KEPT_ROOT_END ".squashfs"
#define KEPT_INDEX_END ".chunks"
#define KEPT_PART_END ".part"

enum {
        KEPT_NAME_SIZE = SHA256_HEX_SIZE + sizeof KEPT_ROOT_END + sizeof KEPT_PART_END,
        KEPT_READ_ROOM_BYTES = 16 << 10, // that a buffer must have beyond, for buf_read_fd() to see the file's end
};

void kept_root_name(const char *sha256, const char *end, char ret[static KEPT_NAME_SIZE]);

// The directory's entries, of a descriptor of their own: closedir(3). NULL with errno.
DIR *kept_root_entries(int dir);

#endif
