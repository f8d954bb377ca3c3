// SPDX-License-Identifier: MIT
// The EFI system partition of an ISO: a FAT image with /EFI/BOOT, which firmware finds by El Torito or, on a stick, by
// the partition table.
#ifndef KILN_ARTEFACT_ISO_EFI_IMAGE_H
#define KILN_ARTEFACT_ISO_EFI_IMAGE_H

#include <stdint.h>

#include "base/err.h"

struct efi_image {
        const char *build_id; // the volume's serial number is made from it
        int64_t source_date_epoch;
        bool has_no_menu; // there is BOOTX64.EFI only
        bool has_shim;    // GRUB is then grubx64.efi, and BOOTX64.EFI is the shim
};

// Makes efiboot.img in the directory `stage` from EFI/BOOT/{BOOTX64.EFI,grub.cfg,grubx64.efi} there.
must_check bool efi_image_make(const struct efi_image *image, int stage, struct err *err);

#endif
