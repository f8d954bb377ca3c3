// SPDX-License-Identifier: MIT
#include "artefact/iso/iso_volume.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "artefact/iso/program.h"
#include "base/mem.h"

// Options of xorriso's mkisofs emulation (xorrisofs(1)), a group an array; each ends with NULL.

static const char *const from_a_stick[] = { "-isohybrid-mbr", ISO_STAGE "/isohdpfx.bin", NULL };

static const char *const by_isolinux[] = {
        "-b",
        "isolinux/isolinux.bin",
        "-c",
        "isolinux/boot.cat",
        "-no-emul-boot",
        "-boot-load-size",
        "4",
        "-boot-info-table",
        ("isolinux=" ISO_STAGE "/isolinux"),
        NULL,
};

static const char *const next_way_to_boot[] = { "-eltorito-alt-boot", NULL };

static const char *const by_efi_image[] = {
        "-e", "boot/efiboot.img", "-no-emul-boot", ("boot/efiboot.img=" ISO_STAGE "/efiboot.img"), NULL,
};

// For those who copy the volume's files to a stick. A unified kernel image is not there a second time.
static const char *const efi_files[] = { "EFI=" ISO_STAGE "/EFI", NULL };

static const char *const uki_files[] = {
        "boot/boot.sums=" ISO_STAGE "/boot.sums",
        "boot/boot.sums.sig=" ISO_STAGE "/boot.sums.sig",
        NULL,
};

static const char *const efi_image_as_partition[] = { "-isohybrid-gpt-basdat", NULL };
static const char *const efi_image_as_only_partition[] = { "-efi-boot-part", "--efi-boot-image", NULL };

// What changes from build to build comes last in the volume, so that the digest of what comes before it can be kept
// (iso_template.h). xorriso refuses to sort a file that is not there.
static const char *const order_of_data[] = {
        "--sort-weight",
        "4",
        "/kiln",
        "--sort-weight",
        "3",
        "/boot/initrd.img",
        "--sort-weight",
        "3",
        "/boot/vmlinuz",
        "--sort-weight",
        "-1",
        "/boot/config.cpio",
        NULL,
};
static const char *const order_of_isolinux_files[] = { "--sort-weight", "-1", "/isolinux/isolinux.cfg", NULL };
static const char *const order_of_efi_image[] = { "--sort-weight", "-1", "/boot/efiboot.img", NULL };
static const char *const order_of_efi_files[] = { "--sort-weight", "-1", "/EFI/BOOT/grub.cfg", NULL };
static const char *const order_of_uki_files[] = {
        "--sort-weight", "-1", "/boot/boot.sums", "--sort-weight", "-1", "/boot/boot.sums.sig", NULL,
};

static const char *const role_files[] = {
        "boot/vmlinuz=vmlinuz",
        "boot/initrd.img=initrd.img",
        "boot/config.cpio=config.cpio",
        "kiln/rootfs.squashfs=rootfs.squashfs",
        NULL,
};

struct arguments {
        const char **items;
        size_t count;
};

static void append_options(struct arguments *arguments, const char *const *options) {
        for (; *options; options++)
                *array_append(&arguments->items, &arguments->count) = *options;
}

static void append_order_of_data(struct arguments *arguments, const struct iso_volume *volume) {
        append_options(arguments, order_of_data);
        if (volume->has_bios)
                append_options(arguments, order_of_isolinux_files);
        if (volume->has_uefi)
                append_options(arguments, order_of_efi_image);
        if (volume->has_uefi && !volume->has_uki)
                append_options(arguments, order_of_efi_files);
        if (volume->has_uki)
                append_options(arguments, order_of_uki_files);
}

static void append_boot_options(struct arguments *arguments, const struct iso_volume *volume) {
        if (volume->has_mbr)
                append_options(arguments, from_a_stick);
        if (volume->has_bios)
                append_options(arguments, by_isolinux);
        if (volume->has_bios && volume->has_uefi)
                append_options(arguments, next_way_to_boot);
        if (volume->has_uefi)
                append_options(arguments, by_efi_image);
        if (volume->has_uefi && !volume->has_uki)
                append_options(arguments, efi_files);
        if (volume->has_mbr && volume->has_uefi)
                append_options(arguments, efi_image_as_partition);
        else if (volume->has_uefi)
                append_options(arguments, efi_image_as_only_partition);
}

bool iso_volume_write(const struct iso_volume *volume, const char *path, struct err *err) {
        char date[32];
        time_t epoch = volume->source_date_epoch;
        struct tm utc;
        assert(volume->has_bios || volume->has_uefi);
        assert(volume->has_bios || !volume->has_mbr);
        assert(volume->has_uefi || !volume->has_uki);
        gmtime_r(&epoch, &utc);
        strftime(date, sizeof date, "%Y%m%d%H%M%S00", &utc);
        auto_free char *modification = xasprintf("--modification-date=%s", date);
        auto_free char *file_times = xasprintf("=%lld", (long long)epoch);
        auto_free char *output = xasprintf("stdio:%s", path); // without the prefix a path below /dev is a drive
        // The build as a whole is brought to the disk before it is published: xorriso need not wait for it as it
        // writes.
        const char *const start[] = {
                "xorriso",     "-no_rc",
                "-stdio_sync", "off",
                "-as",         "mkisofs",
                "-quiet",      "-o",
                output,        "-V",
                volume->label, "-iso-level",
                "3",           "-r",
                modification,  "--set_all_file_dates",
                file_times,    "-graft-points",
                NULL,
        };
        struct arguments arguments = { 0 };
        append_options(&arguments, start);
        append_boot_options(&arguments, volume);
        append_order_of_data(&arguments, volume);
        append_options(&arguments, role_files);
        if (volume->has_uki)
                append_options(&arguments, uki_files);
        *array_append(&arguments.items, &arguments.count) = NULL;
        bool ok = program_run(volume->source_date_epoch, volume->directory, arguments.items, err);
        free(arguments.items);
        return ok;
}
