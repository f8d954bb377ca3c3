// SPDX-License-Identifier: MIT
// The kernel of an image.
#ifndef KILN_BUILD_KERNEL_FIND_H
#define KILN_BUILD_KERNEL_FIND_H

#include "base/err.h"
#include "base/mem.h"

// Finds the file that a release's kernel.image names, such as "/boot/vmlinuz-*" or "/lib/modules/*/vmlinuz": its path
// in the root, and the version that the star stands for, which names the directory below /lib/modules. Links of the
// image are followed on the way to the star's directory. Of several the newest is taken. `*ret_path` is NULL if there
// is none.
must_check bool kernel_find(int root, const char *pattern, struct arena *arena, const char **ret_path,
                            const char **ret_version, struct err *err);

#endif
