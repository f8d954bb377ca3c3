// SPDX-License-Identifier: MIT
// kiln.efi: a unified kernel image (Unified Kernel Image specification of the UAPI group). systemd's stub for UEFI with
// kernel, initrd and command line as PE sections, which firmware checks as one program. It holds nothing of the
// configuration: that comes from beside the root, signed by a key that the initrd holds (firmware/initramfs/init). So
// it stays the same, byte for byte, while kernel, initrd, keys, arguments and places do.
#include <fcntl.h>
#include <string.h>

#include "artefact/bootloader.h"
#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"
#include "uki/pe_image.h"

enum { STUB_MAX_BYTES = 16 << 20, PART_MAX_BYTES = 1 << 30 };

static bool is_made_by_name(const struct cluster *cluster) {
        return !cluster || cluster->secure_boot != SECURE_BOOT_OWN;
}

// ---- the stub ----

static bool read_stub(const struct artefact_build *build, struct buf *ret, struct pe_image *ret_image,
                      struct err *err) {
        const char *path = text_or(build->uki_stub, UKI_STUB);
        ret->max = STUB_MAX_BYTES;
        if (!fs_exists(AT_FDCWD, path)) {
                fail(err, ERR_TOOL, 0, "the EFI stub %s is missing", path);
                return hint(err, "install the Debian package systemd-boot-efi, or name one with --uki-stub");
        }
        if (!fs_read(AT_FDCWD, path, ret, err))
                return false;
        if (!pe_image_read(ret->data, ret->size, ret_image, err))
                return wrap(err, "the EFI stub %s", path);
        const struct pe_section *magic = pe_image_find(ret_image, ".sdmagic");
        static const char name[] = "LoaderInfo: systemd-stub ";
        if (magic && memmem(magic->data, magic->data_bytes, name, strlen(name)))
                return true;
        fail(err, ERR_TOOL, 0, "%s is not systemd's EFI stub", path);
        return hint(err, "it is linuxx64.efi.stub of the Debian package systemd-boot-efi");
}

// "#### LoaderInfo: systemd-stub 252.39-1 ####"
bool uki_stub_describe(const struct artefact_build *build, char *ret_version, size_t room,
                       char ret_sha256[static DIGEST_HEX_SIZE], struct err *err) {
        auto_buf stub = { 0 };
        struct pe_image image;
        if (!read_stub(build, &stub, &image, err))
                return false;
        const struct pe_section *magic = pe_image_find(&image, ".sdmagic");
        auto_free char *text = xstrndup((const char *)magic->data, magic->data_bytes);
        const char *version = strstr(text, "systemd-stub ");
        if (!version)
                version = "systemd-stub ";
        version += strlen("systemd-stub ");
        snprintf(ret_version, room, "%.*s", (int)strcspn(version, " "), version);
        digest_bytes("sha256", stub.data, stub.size, ret_sha256);
        return true;
}

static bool uki_check(const struct artefact_build *build, struct err *err) {
        auto_buf stub = { 0 };
        struct pe_image image;
        if (build->cluster->trusted_key_count == 0) {
                fail(err, ERR_CLUSTER, 0,
                     "a unified kernel image needs trusted_keys: it would take anybody's configuration and root");
                return hint(err, "add the public key that --sign will use to %s", build->cluster->path);
        }
        if (build->http_base && strncmp(build->http_base, "http://", strlen("http://")) != 0) {
                fail(err, ERR_USAGE, 0, "--http-base %s: the initrd of a unified kernel image speaks http:// only",
                     build->http_base);
                return hint(err, "what it fetches is signed; give the URL of the same tree by http://");
        }
        return read_stub(build, &stub, &image, err);
}

// ---- sections ----

static void append_osrel(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret) {
        buf_printf(ret, "ID=kiln\nNAME=\"kiln\"\nPRETTY_NAME=\"kiln: %s, role %s (%s)\"\n", build->cluster->name,
                   role->role->name, build->cluster->release.name);
}

// Where the root is, and so the configuration: on the role's own medium or, if it is not there, on the server.
static const char *root_places(const struct artefact_build *build, const struct artefact_role *role,
                               struct arena *arena) {
        char label[LABEL_SIZE];
        boot_label(role->role, label);
        if (!build->http_base)
                return arena_printf(arena, "medium:%s", label);
        size_t length = strlen(build->http_base);
        while (length > 0 && build->http_base[length - 1] == '/')
                length--;
        return arena_printf(arena, "medium:%s,%.*s/current/%s/rootfs.squashfs", label, (int)length, build->http_base,
                            role->role->name);
}

// What a machine does after a failure must hold before there is a configuration, too.
static void append_command_line(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret) {
        struct arena arena = { 0 };
        struct value *scope = boot_scope(build, &arena);
        boot_add_entry(build, &arena, scope,
                       &(struct boot_entry){ .role = role->role, .root = root_places(build, role, &arena) });
        const struct value *entries = value_get(scope, "entries");
        buf_append_text(ret, value_get(entries->items[0], "arguments")->text);
        buf_printf(ret, " kiln.on_failure=%s kiln.reboot_delay=%d", role->role->on_failure, role->role->reboot_delay_s);
        arena_release(&arena);
}

static bool read_part(const struct artefact_role *role, const char *name, struct buf *ret, struct err *err) {
        ret->max = PART_MAX_BYTES;
        return fs_read(role->out, name, ret, err);
}

static bool make_image(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret,
                       struct err *err) {
        auto_buf stub = { 0 };
        auto_buf osrel = { 0 };
        auto_buf command_line = { 0 };
        auto_buf kernel = { 0 };
        auto_buf initrd = { 0 };
        struct pe_image image;
        if (!read_stub(build, &stub, &image, err) || !read_part(role, "vmlinuz", &kernel, err) ||
            !read_part(role, "initrd.img", &initrd, err))
                return false;
        if (kernel.size < 2 || memcmp(kernel.data, "MZ", 2) != 0)
                return fail(err, ERR_REFERENCE, 0, "the kernel %s of role %s is no EFI program (CONFIG_EFI_STUB)",
                            role->kernel_path, role->role->name);
        append_osrel(build, role, &osrel);
        append_command_line(build, role, &command_line);
        const struct pe_content contents[] = {
                { ".osrel", osrel.data, osrel.size },
                { ".cmdline", command_line.data, command_line.size + 1 }, // with its NUL
                { ".uname", role->kernel_version, strlen(role->kernel_version) },
                { ".linux", kernel.data, kernel.size },
                { ".initrd", initrd.data, initrd.size },
        };
        return pe_image_add_sections(&image, contents, lengthof(contents), ret, err);
}

// ---- the signature ----

static const struct kept_signature *kept_of(const struct artefact_build *build, const struct artefact_role *role) {
        const struct kept_signatures *kept = build->kept;
        for (size_t i = 0; kept && i < kept->count; i++)
                if (strcmp(kept->items[i].role, role->role->name) == 0)
                        return &kept->items[i];
        return NULL;
}

static bool certify(const struct artefact_build *build, const struct artefact_role *role, const struct buf *plain,
                    struct buf *ret, struct err *err) {
        const struct kept_signature *kept = kept_of(build, role);
        struct pe_image image;
        if (!pe_image_read(plain->data, plain->size, &image, err))
                return false;
        if (build->secure_boot)
                return secure_boot_sign(build->secure_boot, &image, ret, err);
        if (kept)
                pe_image_certify(&image, kept->certificates, kept->certificates_bytes, ret);
        else
                pe_image_certify(&image, NULL, 0, ret);
        return true;
}

static bool uki_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_buf plain = { 0 };
        auto_buf image = { 0 };
        return make_image(build, role, &plain, err) && certify(build, role, &plain, &image, err) &&
               fs_write(role->out, UKI_NAME, image.data, image.size, 0644, err);
}

static const char *const needs[] = { "kernel", "squashfs", "initrd", "config", NULL };

const struct artefact_kind uki_kind = {
        .name = "uki",
        .description = "one EFI program of kernel, initrd and command line, for Secure Boot with keys of your own",
        .needs = needs,
        .by_name = is_made_by_name,
        .per_role = true,
        .check = uki_check,
        .write = uki_write,
};
