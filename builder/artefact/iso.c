// SPDX-License-Identifier: MIT
// A hybrid ISO: BIOS (isolinux by El Torito), UEFI (GRUB in a FAT image by El Torito), and both from a USB stick
// (hybrid MBR, GPT). It holds the role's kernel, initrd and configuration layer, and the root, which the initrd finds
// by the volume's label.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "artefact/bootloader.h"
#include "artefact/internal.h"
#include "artefact/iso_template.h"
#include "artefact/program.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"

#define STAGE ".iso"

enum {
        FAT_CLUSTER_BYTES = 4096,
        FAT_SPARE_BYTES = 512 << 10,
        MEBIBYTE = 1 << 20,
        ARGUMENTS_MAX = 96,
        TEXT_ALIGN_BYTES = 4096
};

static bool iso_check(const struct artefact_build *build, struct err *err) {
        const struct release *release = &build->cluster->release;
        static const struct {
                const char *program, *package;
        } programs[] = {
                { "xorriso", "xorriso" }, { "mkfs.vfat", "dosfstools" }, { "mcopy", "mtools" }, { "mmd", "mtools" }
        };
        if (!release->bootloader.isolinux && !release->bootloader.grub_efi_iso) {
                fail(err, ERR_SCHEMA, 0, "%s: an ISO needs bootloader.isolinux or bootloader.grub_efi_iso",
                     release->path);
                return hint(err, "name them, or leave ISOs out with --only");
        }
        for (size_t i = 0; i < lengthof(programs); i++)
                if (!program_check(programs[i].program, programs[i].package, err))
                        return false;
        return boot_check_arguments(build, err);
}

static struct value *iso_scope(const struct artefact_build *build, const struct artefact_role *role,
                               struct arena *arena) {
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        const char *root = arena_printf(arena, "medium:%s", label);
        struct value *scope = boot_scope(build, arena);
        const char *first =
            boot_add_entry(build, arena, scope, &(struct boot_entry){ .role = role->role, .root = root });
        for (size_t i = 0; i < role->role->node_count; i++) {
                const struct node *node = &build->cluster->nodes[role->role->nodes[i]];
                boot_add_entry(build, arena, scope,
                               &(struct boot_entry){ .role = role->role, .node = node, .root = root, .address = true });
        }
        value_set(arena, scope, "default", value_scalar(arena, first));
        value_set(arena, scope, "label", value_scalar(arena, arena_strdup(arena, label)));
        return scope;
}

// A menu, padded so that one with another word has room in the same template.
static bool render_menu(const struct artefact_build *build, const char *template, const struct value *scope, int stage,
                        const char *path, struct err *err) {
        auto_buf text = { 0 };
        if (!boot_render(build, template, scope, stage, path, err) || !fs_read(stage, path, &text, err))
                return false;
        while (text.size % TEXT_ALIGN_BYTES)
                buf_append_char(&text, '\n');
        return fs_write(stage, path, text.data, text.size, 0644, err);
}

// ---- BIOS ----

// ldlinux.c32 belongs to syslinux 5 and later; EL7's 4.05 has and needs none.
static bool stage_isolinux(const struct artefact_build *build, const struct artefact_role *role,
                           const struct value *scope, int stage, struct err *err) {
        const struct release *release = &build->cluster->release;
        if (!release->bootloader.isolinux)
                return true;
        auto_free char *loader = release->bootloader.isolinux_modules
                                     ? xasprintf("%s/ldlinux.c32", release->bootloader.isolinux_modules)
                                     : NULL;
        auto_err absent = { 0 };
        auto_close int probe = -1;
        bool has_loader = loader && fs_open_in_root(role->bootloader, loader, O_RDONLY, 0, &probe, &absent);
        return boot_copy(role, release->bootloader.isolinux, stage, "isolinux/isolinux.bin", err) &&
               boot_copy(role, has_loader ? loader : NULL, stage, "isolinux/ldlinux.c32", err) &&
               boot_copy(role, release->bootloader.isohybrid_mbr, stage, "isohdpfx.bin", err) &&
               render_menu(build, "isolinux.cfg.tmpl", scope, stage, "isolinux/isolinux.cfg", err);
}

// ---- UEFI ----

static uint64_t file_bytes(int dir, const char *path) {
        struct stat stat;
        return fstatat(dir, path, &stat, 0) == 0 ? (uint64_t)stat.st_size : 0;
}

// The EFI system partition: /EFI/BOOT from the stage, with a serial number from the build.
static bool make_efi_image(const struct artefact_build *build, int stage, bool has_shim, struct err *err) {
        static const char *const files[] = { "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grub.cfg", "EFI/BOOT/grubx64.efi" };
        uint64_t size = FAT_SPARE_BYTES;
        for (size_t i = 0; i < lengthof(files); i++)
                size += (file_bytes(stage, files[i]) + FAT_CLUSTER_BYTES - 1) / FAT_CLUSTER_BYTES * FAT_CLUSTER_BYTES;
        size = (size + MEBIBYTE - 1) / MEBIBYTE * MEBIBYTE;
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", build->build_id, strlen(build->build_id), hex);
        auto_free char *serial = xstrndup(hex, 8);
        auto_close int fd = -1;
        if (!fs_open(stage, "efiboot.img", O_RDWR | O_CREAT | O_TRUNC, 0644, &fd, err))
                return false;
        if (ftruncate(fd, (off_t)size) < 0)
                return fail(err, ERR_SYSTEM, errno, "grow efiboot.img");
        const char *format[] = { "mkfs.vfat", "--invariant", "-i", serial, "-n", "KILN_EFI", "efiboot.img", NULL };
        const char *directories[] = { "mmd", "-i", "efiboot.img", "::/EFI", "::/EFI/BOOT", NULL };
        const char *copy[] = { "mcopy",
                               "-i",
                               "efiboot.img",
                               files[0],
                               files[1],
                               has_shim ? files[2] : "::/EFI/BOOT/",
                               has_shim ? "::/EFI/BOOT/" : NULL,
                               NULL };
        return program_run(build->source_date_epoch, stage, format, err) &&
               program_run(build->source_date_epoch, stage, directories, err) &&
               program_run(build->source_date_epoch, stage, copy, err);
}

static bool stage_efi(const struct artefact_build *build, const struct artefact_role *role, struct value *scope,
                      struct arena *arena, int stage, struct err *err) {
        const struct release *release = &build->cluster->release;
        const char *grub = release->bootloader.grub_efi_iso, *shim = release->bootloader.shim;
        if (!grub)
                return true;
        return boot_choose_grub_commands(role, grub, arena, scope, err) &&
               boot_copy(role, shim ? shim : grub, stage, "EFI/BOOT/BOOTX64.EFI", err) &&
               boot_copy(role, shim ? grub : NULL, stage, "EFI/BOOT/grubx64.efi", err) &&
               render_menu(build, "iso-grub.cfg.tmpl", scope, stage, "EFI/BOOT/grub.cfg", err) &&
               make_efi_image(build, stage, shim != NULL, err);
}

// ---- the volume ----

static void add_arguments(const char **argv, size_t *count, const char *const *more) {
        for (; *more; more++)
                argv[(*count)++] = *more;
}

struct volume {
        const struct artefact_build *build;
        const struct artefact_role *role;
};

static bool write_volume(const char *path, void *context, struct err *err) {
        const struct artefact_build *build = ((const struct volume *)context)->build;
        const struct artefact_role *role = ((const struct volume *)context)->role;
        const struct release *release = &build->cluster->release;
        static const char *const bios[] = { "-b",
                                            "isolinux/isolinux.bin",
                                            "-c",
                                            "isolinux/boot.cat",
                                            "-no-emul-boot",
                                            "-boot-load-size",
                                            "4",
                                            "-boot-info-table",
                                            "isolinux=" STAGE "/isolinux",
                                            NULL };
        static const char *const next[] = { "-eltorito-alt-boot", NULL };
        static const char *const uefi[] = { "-e",
                                            "boot/efiboot.img",
                                            "-no-emul-boot",
                                            "boot/efiboot.img=" STAGE "/efiboot.img",
                                            "EFI=" STAGE "/EFI",
                                            NULL };
        static const char *const hybrid[] = { "-isohybrid-mbr", STAGE "/isohdpfx.bin", NULL };
        static const char *const gpt[] = { "-isohybrid-gpt-basdat", NULL };
        static const char *const files[] = { "boot/vmlinuz=vmlinuz", "boot/initrd.img=initrd.img",
                                             "boot/config.cpio=config.cpio", "kiln/rootfs.squashfs=rootfs.squashfs",
                                             NULL };
        char label[LABEL_SIZE], date[32], seconds[32];
        boot_label(role->role, label);
        time_t epoch = build->source_date_epoch;
        struct tm utc;
        gmtime_r(&epoch, &utc);
        strftime(date, sizeof date, "%Y%m%d%H%M%S00", &utc);
        snprintf(seconds, sizeof seconds, "=%lld", (long long)epoch);
        auto_free char *modification = xasprintf("--modification-date=%s", date);
        auto_free char *output = xasprintf("stdio:%s", path); // below /dev, too, it is a file
        const char *const start[] = {
                "xorriso", "-no_rc",        "-as",        "mkisofs", "-quiet", "-o",         output,
                "-V",      label,           "-iso-level", "3",       "-r",     modification, "--set_all_file_dates",
                seconds,   "-graft-points", NULL
        };
        bool has_bios = release->bootloader.isolinux, has_uefi = release->bootloader.grub_efi_iso;
        bool has_mbr = has_bios && release->bootloader.isohybrid_mbr;
        const char *argv[ARGUMENTS_MAX];
        size_t count = 0;
        // What changes comes last, so that the digest of what comes before can be kept (iso_template.h).
        static const char *const weights[] = { "--sort-weight",
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
                                               "--sort-weight",
                                               "-1",
                                               "/boot/efiboot.img",
                                               "--sort-weight",
                                               "-1",
                                               "/EFI/BOOT/grub.cfg",
                                               "--sort-weight",
                                               "-1",
                                               "/isolinux/isolinux.cfg",
                                               NULL };
        static const char *const none[] = { NULL };
        add_arguments(argv, &count, start);
        add_arguments(argv, &count, has_mbr ? hybrid : none);
        add_arguments(argv, &count, has_bios ? bios : none);
        add_arguments(argv, &count, has_bios && has_uefi ? next : none);
        add_arguments(argv, &count, has_uefi ? uefi : none);
        add_arguments(argv, &count, has_mbr && has_uefi ? gpt : none);
        add_arguments(argv, &count, weights);
        add_arguments(argv, &count, files);
        argv[count] = NULL;
        return program_run(build->source_date_epoch, role->out, argv, err);
}

// ---- the template that fits ----

// What the volume holds of this build only.
static const struct {
        const char *path, *source;
} changing[] = {
        { "/boot/config.cpio", "config.cpio" },
        { "/boot/efiboot.img", STAGE "/efiboot.img" },
        { "/EFI/BOOT/grub.cfg", STAGE "/EFI/BOOT/grub.cfg" },
        { "/isolinux/isolinux.cfg", STAGE "/isolinux/isolinux.cfg" },
};

static void list_parts(const struct artefact_role *role, struct iso_layout *layout) {
        layout->root = (struct iso_part){ .path = "/kiln/rootfs.squashfs", .source = "rootfs.squashfs" };
        for (size_t i = 0; i < lengthof(changing); i++)
                if (fs_exists(role->out, changing[i].source))
                        layout->parts[layout->part_count++] =
                            (struct iso_part){ .path = changing[i].path, .source = changing[i].source };
}

static bool is_changing(const char *staged) {
        for (size_t i = 0; i < lengthof(changing); i++)
                if (strncmp(changing[i].source, STAGE "/", sizeof STAGE) == 0 &&
                    strcmp(changing[i].source + sizeof STAGE, staged) == 0)
                        return true;
        return false;
}

static bool add_staged(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!S_ISREG(entry->stat->st_mode) || is_changing(entry->path))
                return true;
        if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                return false;
        buf_printf(context, "%s %s\n", entry->path, sha256);
        return true;
}

// Its version, and its libraries'.
static bool add_xorriso(struct buf *text, struct err *err) {
        static const char *const argv[] = { "xorriso", "-no_rc", "-version", NULL };
        return run(&(struct run){ .argv = argv, .output = text }, err);
}

// Everything that decides the template but the content of what changes. The kernel is the root's.
static bool template_key(const struct artefact_build *build, const struct artefact_role *role,
                         const struct iso_layout *layout, int stage, char ret_hex[static DIGEST_HEX_SIZE],
                         struct err *err) {
        auto_buf text = { 0 };
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        if (!add_xorriso(&text, err))
                return false;
        buf_printf(&text, "%s %s %s %s %s %lld\n", build->maker, label, role->root_sha256, role->initrd_sha256,
                   role->kernel_path, (long long)build->source_date_epoch);
        for (size_t i = 0; i < layout->part_count; i++)
                buf_printf(&text, "%s %llu\n", layout->parts[i].path,
                           (unsigned long long)file_bytes(role->out, layout->parts[i].source));
        if (!fs_walk(stage, add_staged, &text, err))
                return false;
        digest_bytes("sha256", text.data, text.size, ret_hex);
        return true;
}

static bool stage_and_write(const struct artefact_build *build, struct artefact_role *role, struct arena *arena,
                            struct err *err) {
        struct iso_layout layout = { 0 };
        struct volume volume = { build, role };
        auto_close int stage = -1;
        char key[DIGEST_HEX_SIZE], sha256[DIGEST_HEX_SIZE];
        const char *name = arena_printf(arena, "%s-%s.iso", build->cluster->name, role->role->name);
        struct value *scope = iso_scope(build, role, arena);
        if (!fs_mkdirs(role->out, STAGE, 0755, err) || !fs_open_dir(role->out, STAGE, &stage, err) ||
            !stage_isolinux(build, role, scope, stage, err) || !stage_efi(build, role, scope, arena, stage, err) ||
            (list_parts(role, &layout), !template_key(build, role, &layout, stage, key, err)) ||
            !iso_from_template(build, role, key, write_volume, &volume, &layout, name, sha256, err))
                return false;
        memcpy(role->iso_sha256, sha256, sizeof role->iso_sha256);
        return true;
}

static bool iso_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        struct arena arena = { 0 };
        auto_err ignored = { 0 };
        bool ok = stage_and_write(build, role, &arena, err);
        arena_release(&arena);
        return fs_remove_tree(role->out, STAGE, ok ? err : &ignored) && ok;
}

static const char *const needs[] = { "kernel", "squashfs", "initrd", "config", NULL };

const struct artefact_kind iso_kind = {
        .name = "iso",
        .description = "a hybrid ISO: BIOS, UEFI, USB stick",
        .needs = needs,
        .per_role = true,
        .check = iso_check,
        .write = iso_write,
};
