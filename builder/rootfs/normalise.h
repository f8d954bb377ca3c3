// SPDX-License-Identifier: MIT
// What makes two installations of the same packages the same bits.
#ifndef KILN_ROOTFS_NORMALISE_H
#define KILN_ROOTFS_NORMALISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Removes what must not survive from a freshly installed tree (a root or an overlay upper) and settles its time stamps:
// what the installation wrote gets `source_date_epoch`, and so do passwords changed since `started` (seconds since
// 1970); packages' own times are kept, also later ones. ACLs are taken away, with a warning.
must_check bool normalise_tree(int dir, int64_t started, int64_t source_date_epoch, struct err *err);

#endif
