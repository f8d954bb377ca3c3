// SPDX-License-Identifier: MIT
// The ISO 9660 volume itself, made by xorriso: which files it holds, in which order, and by which ways it boots.
#ifndef KILN_ARTEFACT_ISO_ISO_VOLUME_H
#define KILN_ARTEFACT_ISO_ISO_VOLUME_H

#include <stdint.h>

#include "base/err.h"

// The directory, below the one with the role's files, where what only the ISO needs lies before it is written:
// isolinux/, EFI/, efiboot.img, isohdpfx.bin.
#define ISO_STAGE ".iso"

struct iso_volume {
        const char *label; // at most 32 bytes of A-Z, 0-9 and "_"
        int64_t source_date_epoch;
        bool has_bios; // isolinux, by El Torito
        bool has_uefi; // efiboot.img, by El Torito
        bool has_uki;  // what efiboot.img holds is a unified kernel image; only with `has_uefi`
        bool has_mbr;  // isolinux from a stick, by a hybrid MBR; only with `has_bios`
        int directory; // vmlinuz, initrd.img, config.cpio, rootfs.squashfs and ISO_STAGE
};

// Writes the volume as the file `path`.
must_check bool iso_volume_write(const struct iso_volume *volume, const char *path, struct err *err);

#endif
