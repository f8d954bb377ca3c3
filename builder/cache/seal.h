// SPDX-License-Identifier: MIT
// Trees that the cache keeps and that nobody may change. Beside them, in the same directory, lie
//     seal     what they were when they were made: a line a file with mode, owners, size, time, device, hard link,
//              extended attributes, target and path
//     digests  a line a file: of its content
//     place    where they lay when that was last compared: inode and change time
// A tree that was written to shows, and so does one that went through an archive or a copy that lost owners,
// capabilities, device nodes or hard links, as those of CI caches do. What somebody or a bad disk did to a file whose
// size and time are the same shows when the tree is looked through thoroughly, which is before it is read.
#ifndef KILN_CACHE_SEAL_H
#define KILN_CACHE_SEAL_H

#include <stdint.h>

#include "base/err.h"

// Seals everything in the directory.
must_check bool seal_make(int dir, struct err *err);

// Whether everything in the directory is as it was sealed: `*ret_difference` is the path of the first that is not
// (heap), or NULL. What cannot be read is not. Unless `thorough`, no content is read, and what still lies where it
// was sealed is not looked through at all: that takes 10 us a file, and content a second a gigabyte.
must_check bool seal_check(int dir, bool thorough, char **ret_difference, struct err *err);
// The same, and where a tree that moved lies now is not noted.
must_check bool seal_look(int dir, bool thorough, char **ret_difference, struct err *err);

#endif
