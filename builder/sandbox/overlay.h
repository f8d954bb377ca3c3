// SPDX-License-Identifier: MIT
// overlayfs and bind mounts that are attached nowhere.
#ifndef KILN_SANDBOX_OVERLAY_H
#define KILN_SANDBOX_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Makes an overlay mount that is attached nowhere; it ends when its descriptors are closed. `lowers` are directories,
// topmost first. `upper` and `work` are -1 for a read-only one (then two lowers at least).
must_check bool overlay_open(const int *lowers, size_t lower_count, int upper, int work, int *ret_fd, struct err *err);
// A detached copy of one directory's mount, `read_only` or not; never its submounts, no devices, no setuid.
must_check bool overlay_bind(int dir, bool read_only, int *ret_fd, struct err *err);
// Gives an upper directory the owner and mode of the lower one: what the merged tree shows as "/".
must_check bool overlay_copy_top(int upper, int lower, struct err *err);
// Removes the attributes that overlayfs left in an upper directory over `lower`. REFERENCE for a directory that
// replaces one of `lower`: a plain archive could not carry the mark that says so.
must_check bool overlay_clean_upper(int upper, int lower, struct err *err);

#endif
