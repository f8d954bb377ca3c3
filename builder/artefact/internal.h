// SPDX-License-Identifier: MIT
// What the kinds of artefacts share.
#ifndef KILN_ARTEFACT_INTERNAL_H
#define KILN_ARTEFACT_INTERNAL_H

#include "artefact/artefact.h"
#include "base/buf.h"

enum {
        PART_ALIGN_BYTES = 4096,   // every initrd part's size is a multiple of it (shared/node_config.h)
        CONFIG_ALIGN_BYTES = 65536 // so that a changed line rarely changes the size, and with it the layout of an ISO
};

extern const struct artefact_kind kernel_kind, squashfs_kind, initrd_kind, config_kind, iso_kind, pxe_kind,
    kickstart_kind, lock_kind, manifest_kind, sbom_kind, sums_kind;

// Whether the cache has the role's root, so that it need not be packed.
bool squashfs_is_kept(const struct artefact_build *build, const struct artefact_role *role);
// The packed root's file list (file_list.h), as it lies in the cache.
must_check bool squashfs_read_files(const struct artefact_build *build, const struct artefact_role *role,
                                    struct buf *ret, struct err *err);

// rootfs.head and rootfs.tail: what makes a squashfs of this size one file of a newc archive.
must_check bool carrier_write(const struct artefact_role *role, struct err *err);

// Compresses an archive as the kernel can read it ("gzip", "xz" with CRC32, "zstd", or PART_FAST: gzip for what each
// build makes anew) and writes it, zero-padded to a multiple of `align_bytes`.
#define PART_FAST "gzip, fast"
must_check bool part_check(const char *compressor, struct err *err);
must_check bool part_write(const char *compressor, const struct buf *archive, size_t align_bytes, int dir,
                           const char *name, struct err *err);

#endif
