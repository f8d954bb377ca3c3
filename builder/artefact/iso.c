// SPDX-License-Identifier: MIT
// A hybrid ISO: BIOS (isolinux by El Torito), UEFI (GRUB in a FAT image by El Torito), and both from a USB stick
// (hybrid MBR, GPT). It holds the role's kernel, initrd and configuration layer, and the root, which the initrd finds
// by the volume's label. Where a unified kernel image is made, UEFI starts that and no GRUB: with keys of one's own in
// the firmware nothing else is started. It has no menu.
#include <fcntl.h>
#include <string.h>

#include "artefact/bootloader.h"
#include "artefact/file_sums.h"
#include "artefact/internal.h"
#include "artefact/iso/efi_image.h"
#include "artefact/iso/iso_parts.h"
#include "artefact/iso/iso_template.h"
#include "artefact/iso/iso_volume.h"
#include "artefact/iso/program.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"

enum { MENU_ALIGN_BYTES = 4096 };

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
        return true;
}

static struct value *iso_scope(const struct artefact_build *build, const struct artefact_role *role,
                               struct arena *arena) {
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        const char *root = arena_printf(arena, "medium:%s", label);
        struct value *scope = boot_scope(build, arena);
        boot_set_serial(build, role->role, arena, scope);
        const char *first =
            boot_add_entry(build, arena, scope, &(struct boot_entry){ .role = role->role, .root = root });
        for (size_t i = 0; i < role->role->node_count; i++) {
                const struct node *node = &build->cluster->nodes[role->role->nodes[i]];
                boot_add_entry(build, arena, scope,
                               &(struct boot_entry){ .role = role->role, .node = node, .root = root, .address = true });
        }
        value_set(arena, scope, "default", value_scalar(arena, first));
        value_set(arena, scope, "label", value_scalar(arena, arena_strdup(arena, label)));
        if (boot_menu_is_locked(role->role))
                boot_lock_menu(build, arena, scope);
        return scope;
}

// Writes a menu, padded with empty lines so that a menu with another word fits its place in the ISO's template.
static bool render_menu(const struct artefact_build *build, const char *template, const struct value *scope, int stage,
                        const char *path, struct err *err) {
        auto_buf text = { 0 };
        if (!boot_render(build, template, scope, stage, path, err) || !fs_read(stage, path, &text, err))
                return false;
        while (text.size % MENU_ALIGN_BYTES != 0)
                buf_append_char(&text, '\n');
        return fs_write(stage, path, text.data, text.size, 0644, err);
}

// ---- what only the ISO needs ----

static bool stage_isolinux(const struct artefact_build *build, const struct artefact_role *role, struct arena *arena,
                           struct value *scope, int stage, struct err *err) {
        const struct release *release = &build->cluster->release;
        bool has_menu;
        if (!release->bootloader.isolinux)
                return true;
        if (!boot_copy(role, release->bootloader.isolinux, stage, "isolinux/isolinux.bin", err) ||
            !boot_copy_syslinux(build, role, stage, "isolinux/", &has_menu, err) ||
            !boot_copy(role, release->bootloader.isohybrid_mbr, stage, "isohdpfx.bin", err))
                return false;
        boot_set_menu(arena, scope, has_menu);
        return render_menu(build, "isolinux.cfg.tmpl", scope, stage, "isolinux/isolinux.cfg", err);
}

static bool has_uki(const struct artefact_role *role) { return fs_exists(role->out, UKI_NAME); }

// Firmware starts BOOTX64.EFI. That is GRUB, or the shim, which then starts grubx64.efi.
static bool copy_efi_loaders(const struct artefact_build *build, const struct artefact_role *role, int stage,
                             struct err *err) {
        const char *grub = build->cluster->release.bootloader.grub_efi_iso;
        const char *shim = build->cluster->release.bootloader.shim;
        if (!shim)
                return boot_copy(role, grub, stage, "EFI/BOOT/BOOTX64.EFI", err);
        return boot_copy(role, shim, stage, "EFI/BOOT/BOOTX64.EFI", err) &&
               boot_copy(role, grub, stage, "EFI/BOOT/grubx64.efi", err);
}

// The image brings no configuration layer, and finds it here with what says that it is signed.
static bool stage_uki(const struct artefact_build *build, const struct artefact_role *role, int stage,
                      struct err *err) {
        const struct efi_image image = { .build_id = build->build_id,
                                         .source_date_epoch = build->source_date_epoch,
                                         .has_no_menu = true };
        auto_buf armored = { 0 };
        if (!boot_sums_sign(build, role, &armored, err) ||
            !fs_link_or_copy(role->out, BOOT_SUMS_NAME, stage, BOOT_SUMS_NAME, err) ||
            !fs_write(stage, BOOT_SUMS_NAME SIGNATURE_SUFFIX, buf_text(&armored), armored.size, 0644, err))
                return false;
        return fs_mkdirs(stage, "EFI/BOOT", 0755, err) &&
               fs_link_or_copy(role->out, UKI_NAME, stage, "EFI/BOOT/BOOTX64.EFI", err) &&
               efi_image_make(&image, stage, err);
}

static bool stage_efi(const struct artefact_build *build, const struct artefact_role *role, struct value *scope,
                      struct arena *arena, int stage, struct err *err) {
        const struct release *release = &build->cluster->release;
        const struct efi_image image = {
                .build_id = build->build_id,
                .source_date_epoch = build->source_date_epoch,
                .has_shim = release->bootloader.shim != NULL,
        };
        if (has_uki(role))
                return stage_uki(build, role, stage, err);
        if (!release->bootloader.grub_efi_iso)
                return true;
        return boot_choose_grub_commands(role, release->bootloader.grub_efi_iso, arena, scope, err) &&
               copy_efi_loaders(build, role, stage, err) &&
               render_menu(build, "iso-grub.cfg.tmpl", scope, stage, "EFI/BOOT/grub.cfg", err) &&
               efi_image_make(&image, stage, err);
}

static bool make_volume(const char *path, void *context, struct err *err) {
        return iso_volume_write(context, path, err);
}

// ---- the template that fits ----

// The files of the volume that may differ between two builds with the same root and initrd.
static const struct {
        const char *path, *source;
} changing[] = {
        { "/boot/config.cpio", "config.cpio" },
        { "/boot/efiboot.img", ISO_STAGE "/efiboot.img" },
        { "/EFI/BOOT/grub.cfg", ISO_STAGE "/EFI/BOOT/grub.cfg" },
        { "/isolinux/isolinux.cfg", ISO_STAGE "/isolinux/isolinux.cfg" },
        { "/boot/boot.sums", ISO_STAGE "/boot.sums" },
        { "/boot/boot.sums.sig", ISO_STAGE "/boot.sums.sig" },
};

// The files of the volume that lie in the role's directory, too, beside root and configuration layer.
static const struct iso_file same[] = {
        { .path = "/boot/vmlinuz", .source = "vmlinuz" },
        { .path = "/boot/initrd.img", .source = "initrd.img" },
};

static void list_files(const struct artefact_role *role, struct iso_template *template) {
        memcpy(template->same, same, sizeof same);
        template->same_count = lengthof(same);
        template->root = (struct iso_file){ .path = "/kiln/rootfs.squashfs", .source = "rootfs.squashfs" };
        for (size_t i = 0; i < lengthof(changing); i++) {
                if (!fs_exists(role->out, changing[i].source))
                        continue;
                template->files[template->file_count] =
                    (struct iso_file){ .path = changing[i].path, .source = changing[i].source };
                template->file_count++;
        }
}

static bool is_changing(const char *staged) {
        for (size_t i = 0; i < lengthof(changing); i++)
                if (strncmp(changing[i].source, ISO_STAGE "/", sizeof ISO_STAGE) == 0 &&
                    strcmp(changing[i].source + sizeof ISO_STAGE, staged) == 0)
                        return true;
        return false;
}

// What is staged and does not change from build to build: the boot loaders.
static bool add_staged_digest(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!S_ISREG(entry->stat->st_mode) || is_changing(entry->path))
                return true;
        if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                return false;
        buf_printf(context, "%s %s\n", entry->path, sha256);
        return true;
}

// The versions of xorriso and of its libraries decide the layout.
static bool add_xorriso(struct buf *text, struct err *err) {
        static const char *const argv[] = { "xorriso", "-no_rc", "-version", NULL };
        return run(&(struct run){ .argv = argv, .output = text }, err);
}

static uint64_t size_of(int dir, const char *path) {
        struct stat stat;
        if (fstatat(dir, path, &stat, 0) < 0)
                return 0;
        return (uint64_t)stat.st_size;
}

// Everything that decides the template but the content of what changes. The kernel comes from the root, so the root's
// digest and the path there stand for it.
static bool template_key(const struct artefact_build *build, const struct artefact_role *role,
                         const struct iso_template *template, int stage, char ret_hex[static DIGEST_HEX_SIZE],
                         struct err *err) {
        auto_buf text = { 0 };
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        if (!add_xorriso(&text, err))
                return false;
        buf_printf(&text, "%s %s %s %s %s %lld\n", build->maker, label, role->root_sha256, role->initrd_sha256,
                   role->kernel_path, (long long)build->source_date_epoch);
        for (size_t i = 0; i < template->file_count; i++)
                buf_printf(&text, "%s %llu\n", template->files[i].path,
                           (unsigned long long)size_of(role->out, template->files[i].source));
        if (!fs_walk(stage, add_staged_digest, &text, err))
                return false;
        digest_bytes("sha256", text.data, text.size, ret_hex);
        return true;
}

static bool stage_files(const struct artefact_build *build, const struct artefact_role *role, struct arena *arena,
                        int *ret_stage, struct err *err) {
        struct value *scope = iso_scope(build, role, arena);
        return fs_mkdirs(role->out, ISO_STAGE, 0755, err) && fs_open_dir(role->out, ISO_STAGE, ret_stage, err) &&
               stage_isolinux(build, role, arena, scope, *ret_stage, err) &&
               stage_efi(build, role, scope, arena, *ret_stage, err);
}

// What `kiln iso` takes from the role's directory: all that lies there, too.
static bool write_on_demand(const struct artefact_role *role, struct iso_template *template, const char *name,
                            struct err *err) {
        static const char volume[] = ISO_STAGE "/volume.iso";
        char sha256[DIGEST_HEX_SIZE];
        struct iso_file files[2 * ISO_FILES_MAX + 1] = { 0 };
        struct iso_parts parts = { .volume = volume, .sha256 = sha256, .directory = role->out, .files = files };
        auto_free char *parts_name = xasprintf("%s" ISO_PARTS_SUFFIX, name);
        template->name = volume;
        template->lacks_root = true;
        if (!iso_template_fill(template, sha256, err))
                return false;
        files[parts.file_count++] = template->root;
        for (size_t i = 0; i < template->same_count; i++)
                files[parts.file_count++] = template->same[i];
        for (size_t i = 0; i < template->file_count; i++)
                if (!strchr(template->files[i].source, '/'))
                        files[parts.file_count++] = template->files[i];
        return iso_parts_write(&parts, parts_name, err);
}

static bool write_from_template(const struct artefact_build *build, const struct artefact_role *role, int stage,
                                struct err *err) {
        const struct release *release = &build->cluster->release;
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        struct iso_volume volume = {
                .label = label,
                .source_date_epoch = build->source_date_epoch,
                .has_bios = release->bootloader.isolinux != NULL,
                .has_uefi = release->bootloader.grub_efi_iso != NULL || has_uki(role),
                .has_uki = has_uki(role),
                .has_mbr = release->bootloader.isolinux != NULL && release->bootloader.isohybrid_mbr != NULL,
                .directory = role->out,
        };
        char key[DIGEST_HEX_SIZE], sha256[DIGEST_HEX_SIZE];
        auto_free char *name = xasprintf("%s-%s.iso", build->cluster->name, role->role->name);
        struct iso_template template = {
                .cache = build->cache,
                .key = key,
                .make = make_volume,
                .context = &volume,
                .directory = role->out,
                .name = name,
        };
        list_files(role, &template);
        if (!template_key(build, role, &template, stage, key, err))
                return false;
        if (build->cluster->iso == ISO_ON_DEMAND)
                return write_on_demand(role, &template, name, err);
        if (!iso_template_fill(&template, sha256, err))
                return false;
        file_sums_note(build->sums, role->out, name, sha256);
        return true;
}

static bool iso_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        struct arena arena = { 0 };
        auto_err ignored = { 0 };
        auto_close int stage = -1;
        bool ok = stage_files(build, role, &arena, &stage, err) && write_from_template(build, role, stage, err);
        arena_release(&arena);
        if (!ok)
                (void)!fs_remove_tree(role->out, ISO_STAGE, &ignored); // the first error is the one to tell
        else
                ok = fs_remove_tree(role->out, ISO_STAGE, err);
        return ok;
}

static const char *const needs[] = { "kernel", "squashfs", "initrd", "config", NULL };

static const char *const after[] = { "uki", NULL };

const struct artefact_kind iso_kind = {
        .name = "iso",
        .description = "a hybrid ISO: BIOS, UEFI, USB stick",
        .needs = needs,
        .after = after,
        .per_role = true,
        .check = iso_check,
        .write = iso_write,
};
