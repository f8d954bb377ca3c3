// SPDX-License-Identifier: MIT
// Device nodes, named pipes and sockets in a tree that a plain user may write: an empty file stands there, and the
// attribute user.kiln.node says what for. "c 1:3", "b 8:0" (major and minor, decimal), "p" or "s". Owner, mode and time
// are the file's. Whoever packs the tree makes it what it stands for.
#ifndef KILN_BASE_STAND_IN_H
#define KILN_BASE_STAND_IN_H

#include <sys/stat.h>

#include "base/err.h"

#define STAND_IN_ATTRIBUTE "user.kiln.node"

// Makes one, exclusively, with mode 0; `mode` gives the type. -1 and errno, as mknodat(2). Says nothing, for it answers
// a library.
int stand_in_make(int dir, const char *path, mode_t mode, dev_t device);

// Gives the type and the device to the status of `name` in `parent`, if that is a stand-in. CORRUPT if its attribute
// says nothing that is known.
must_check bool stand_in_resolve(int parent, const char *name, struct stat *stat, struct err *err);

#endif
