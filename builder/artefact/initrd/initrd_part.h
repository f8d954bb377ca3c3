// SPDX-License-Identifier: MIT
// An initrd part: a compressed newc archive, padded with zeros so that a boot loader may put another part behind it.
// The kernel unpacks the parts one after the other (Documentation/driver-api/early-userspace/buffer-format.rst).
#ifndef KILN_ARTEFACT_INITRD_INITRD_PART_H
#define KILN_ARTEFACT_INITRD_INITRD_PART_H

#include "base/buf.h"
#include "base/err.h"

enum { INITRD_PART_ALIGN_BYTES = 4096 }; // every part's size is a multiple of it (shared/node_config.h)

// The compressor of parts that each build makes anew: what time it takes counts more than the last per cent of size.
#define INITRD_PART_FAST "gzip, fast"

// ERR_SCHEMA unless parts can be compressed so: "gzip", "xz" (with CRC32), "zstd" or INITRD_PART_FAST.
must_check bool initrd_part_check(const char *compressor, struct err *err);

// Compresses `archive` as the kernel can read it, pads it to a multiple of `align_bytes`, and writes it as `name`.
must_check bool initrd_part_write(const char *compressor, const struct buf *archive, size_t align_bytes, int dir,
                                  const char *name, struct err *err);

#endif
