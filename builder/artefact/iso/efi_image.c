// SPDX-License-Identifier: MIT
#include "artefact/iso/efi_image.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "artefact/iso/program.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"

#define LOADER "EFI/BOOT/BOOTX64.EFI"
#define MENU "EFI/BOOT/grub.cfg"
#define GRUB_BEHIND_SHIM "EFI/BOOT/grubx64.efi"

enum { FAT_CLUSTER_BYTES = 4096, FAT_SPARE_BYTES = 512 << 10, MEBIBYTE = 1 << 20 };

static uint64_t round_up(uint64_t size, uint64_t unit) { return (size + unit - 1) / unit * unit; }

// How much room the files and FAT's own tables need: whole clusters, and whole mebibytes in all.
static uint64_t volume_bytes(int stage) {
        static const char *const files[] = { LOADER, MENU, GRUB_BEHIND_SHIM };
        uint64_t size = FAT_SPARE_BYTES;
        for (size_t i = 0; i < lengthof(files); i++) {
                struct stat stat;
                if (fstatat(stage, files[i], &stat, 0) == 0)
                        size += round_up((uint64_t)stat.st_size, FAT_CLUSTER_BYTES);
        }
        return round_up(size, MEBIBYTE);
}

static bool create_volume(int stage, struct err *err) {
        uint64_t size = volume_bytes(stage);
        auto_close int fd = -1;
        if (!fs_open(stage, "efiboot.img", O_RDWR | O_CREAT | O_TRUNC, 0644, &fd, err))
                return false;
        return ftruncate(fd, (off_t)size) == 0 || fail(err, ERR_SYSTEM, errno, "grow efiboot.img");
}

static bool format_volume(const struct efi_image *image, int stage, struct err *err) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", image->build_id, strlen(image->build_id), hex);
        auto_free char *serial = xstrndup(hex, 8);
        const char *format[] = { "mkfs.vfat", "--invariant", "-i", serial, "-n", "KILN_EFI", "efiboot.img", NULL };
        const char *directories[] = { "mmd", "-i", "efiboot.img", "::/EFI", "::/EFI/BOOT", NULL };
        return program_run(image->source_date_epoch, stage, format, err) &&
               program_run(image->source_date_epoch, stage, directories, err);
}

static bool copy_files(const struct efi_image *image, int stage, struct err *err) {
        const char *copy[] = { "mcopy", "-i", "efiboot.img", LOADER, MENU, "::/EFI/BOOT/", NULL };
        const char *copy_with_shim[] = { "mcopy",          "-i",           "efiboot.img", LOADER, MENU,
                                         GRUB_BEHIND_SHIM, "::/EFI/BOOT/", NULL };
        const char *copy_alone[] = { "mcopy", "-i", "efiboot.img", LOADER, "::/EFI/BOOT/", NULL };
        if (image->has_no_menu)
                return program_run(image->source_date_epoch, stage, copy_alone, err);
        if (image->has_shim)
                return program_run(image->source_date_epoch, stage, copy_with_shim, err);
        return program_run(image->source_date_epoch, stage, copy, err);
}

bool efi_image_make(const struct efi_image *image, int stage, struct err *err) {
        assert(image->build_id);
        return create_volume(stage, err) && format_volume(image, stage, err) && copy_files(image, stage, err);
}
