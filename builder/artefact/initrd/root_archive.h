// SPDX-License-Identifier: MIT
// rootfs.head and rootfs.tail (shared/node_config.h): with them before and after it, rootfs.squashfs is a newc archive
// (cpio(5), Documentation/driver-api/early-userspace/buffer-format.rst). So a boot loader can hand the root over as
// further initrds, without a second copy of it on the server.
#ifndef KILN_ARTEFACT_INITRD_ROOT_ARCHIVE_H
#define KILN_ARTEFACT_INITRD_ROOT_ARCHIVE_H

#include <stdint.h>

#include "base/err.h"

// Whether newc can express the size of a file: 8 hexadecimal digits.
bool root_archive_holds(uint64_t root_size_bytes);
// Writes both into `dir`, for a root that it holds.
must_check bool root_archive_write(int dir, uint64_t root_size_bytes, struct err *err);

#endif
