// SPDX-License-Identifier: MIT
#include "tests/artefact/sample.h"

#include "artefact/bootloader.h"
#include "release/iso_write.h"

static struct sample sample;

static bool write_kinds(struct sample *made, const char *out, const char *kind, struct err *err) {
        const char *names[] = { kind };
        struct strings wanted = { names, 1 };
        return sample_open(made, out, err) && artefacts_check(&made->build, &wanted, err) &&
               artefacts_write(&made->build, &wanted, err);
}

// ISO and SHA256SUMS of a build with another id.
static bool write_build(struct sample *made, const char *out, const char *id, struct err *err) {
        const char *names[] = { "iso", "sums" };
        struct strings wanted = { names, lengthof(names) };
        if (!sample_open(made, out, err))
                return false;
        made->build.build_id = id;
        return artefacts_write(&made->build, &wanted, err);
}

static void only_what_an_iso_needs_is_written(void) {
        EXPECT_OK(write_kinds(&sample, "out", "iso", err));
        EXPECT(fs_exists(sample.out, "alpha/demo-alpha.iso") && fs_exists(sample.out, "beta/demo-beta.iso"));
        EXPECT(fs_exists(sample.out, "alpha/config.cpio"));
        EXPECT(!fs_exists(sample.out, "alpha/.iso") && !fs_exists(sample.out, "pxe") &&
               !fs_exists(sample.out, "SHA256SUMS"));
}

static void xorriso_sees_every_way_to_boot(void) {
        auto_buf output = { 0 };
        EXPECT_OK(sample_judge("xorriso -no_rc -indev out/alpha/demo-alpha.iso -report_el_torito plain "
                               "-report_system_area plain -pvd_info 2>/dev/null",
                               &output, err));
        const char *text = buf_text(&output);
        EXPECT(strstr(text, "El Torito boot img :   1  BIOS") != NULL);
        EXPECT(strstr(text, "El Torito boot img :   2  UEFI") != NULL);
        EXPECT(strstr(text, "isohybrid") != NULL && strstr(text, "GPT") != NULL);
        EXPECT(strstr(text, "KILN_ALPHA") != NULL);
}

static void a_stick_has_an_mbr_and_a_gpt_with_the_efi_image(void) {
        EXPECT_OK(sample_judge(
            "xorriso -no_rc -osirrox on -indev out/alpha/demo-alpha.iso -extract /boot/efiboot.img esp.img "
            "2>/dev/null; python3 - <<'E'\n"
            "import struct\n"
            "iso = open('out/alpha/demo-alpha.iso', 'rb').read()\n"
            "esp = open('esp.img', 'rb').read()\n"
            "assert iso[510:512] == b'\\x55\\xaa' and iso[:3] == b'iii' and iso[512:520] == b'EFI PART'\n"
            "entries, = struct.unpack_from('<Q', iso, 512 + 72)\n"
            "found = []\n"
            "for i in range(8):\n"
            "    first, last = struct.unpack_from('<QQ', iso, entries * 512 + i * 128 + 32)\n"
            "    found.append(first and iso[first * 512:(last + 1) * 512][:len(esp)] == esp)\n"
            "assert any(found), found\nE",
            NULL, err));
}

static void the_content_is_the_published_files(void) {
        EXPECT_OK(sample_judge(
            "mkdir x; xorriso -no_rc -osirrox on -indev out/alpha/demo-alpha.iso -extract / x 2>/dev/null; "
            "cmp x/boot/vmlinuz out/alpha/vmlinuz; cmp x/boot/initrd.img out/alpha/initrd.img; "
            "cmp x/boot/config.cpio out/alpha/config.cpio; "
            "cmp x/kiln/rootfs.squashfs out/alpha/rootfs.squashfs; cmp x/isolinux/ldlinux.c32 "
            "bootloader/bl/ldlinux.c32; cmp x/EFI/BOOT/BOOTX64.EFI bootloader/bl/shim.efi; "
            "cmp x/EFI/BOOT/grubx64.efi bootloader/bl/gcdx64.efi; "
            "mcopy -i x/boot/efiboot.img ::/EFI/BOOT/grub.cfg fat.cfg; cmp fat.cfg x/EFI/BOOT/grub.cfg; "
            "mcopy -i x/boot/efiboot.img ::/EFI/BOOT/BOOTX64.EFI fat.efi; cmp fat.efi bootloader/bl/shim.efi",
            NULL, err));
}

static void menus_name_the_role_and_every_node(void) {
        auto_buf isolinux = { 0 };
        auto_buf grub = { 0 };
        EXPECT_OK(fs_read(sample_fd, "x/isolinux/isolinux.cfg", &isolinux, err));
        EXPECT_OK(fs_read(sample_fd, "x/EFI/BOOT/grub.cfg", &grub, err));
        EXPECT(strncmp(buf_text(&isolinux), "serial 0 115200\n", 16) == 0);
        EXPECT(strstr(buf_text(&isolinux), "default role-alpha\n") != NULL);
        EXPECT(strstr(buf_text(&isolinux), "\nui menu.c32\n") != NULL && !strstr(buf_text(&isolinux), "say "));
        EXPECT(strstr(buf_text(&isolinux), "label node-alpha1\n  menu label alpha1 (alpha)\n") != NULL);
        EXPECT(strstr(buf_text(&grub), "serial --unit=0 --speed=115200") != NULL);
        EXPECT(strstr(buf_text(&isolinux), "  append console=ttyS0,115200 quiet mem=1G;x kiln.role=alpha "
                                           "kiln.root=medium:KILN_ALPHA kiln.node=alpha1 "
                                           "ip=10.1.0.11::10.1.0.1:255.255.240.0:alpha1:52-54-00-aa-00-01:none "
                                           "nameserver=10.1.0.2\n") != NULL);
        EXPECT(strstr(buf_text(&isolinux), "ip=10.1.0.12::10.1.0.1:255.255.240.0:alpha2::none") != NULL);
        EXPECT(strstr(buf_text(&isolinux), "beta1") == NULL);
        EXPECT(strstr(buf_text(&grub), "search --no-floppy --set=root --label KILN_ALPHA\n") != NULL);
        EXPECT(strstr(buf_text(&grub),
                      "linuxefi /boot/vmlinuz console=ttyS0,115200 quiet 'mem=1G;x' kiln.role=alpha") != NULL);
        EXPECT(strstr(buf_text(&grub), "initrdefi /boot/initrd.img /boot/config.cpio\n") != NULL);
}

// Each ISO has one role: alpha's menus are locked, and beta's are as they were.
static void a_locked_role_locks_its_own_menus(void) {
        static const char extract[] =
            "for r in alpha beta; do mkdir locked-$r; xorriso -no_rc -osirrox on -indev locked/$r/demo-$r.iso -extract "
            "/ "
            "locked-$r 2>/dev/null; done; cd locked-alpha; grep -qx 'allowoptions 0' isolinux/isolinux.cfg; "
            "grep -qx 'noescape 1' isolinux/isolinux.cfg; grep -qx 'prompt 0' isolinux/isolinux.cfg; ! grep -q 'prompt "
            "1' isolinux/isolinux.cfg; "
            "! grep -q '^ui ' isolinux/isolinux.cfg; grep -qx 'set superusers=operator' EFI/BOOT/grub.cfg; "
            "test $(grep -c '^menuentry ' EFI/BOOT/grub.cfg) = $(grep -c \"' --unrestricted --id \" "
            "EFI/BOOT/grub.cfg); "
            "mcopy -i boot/efiboot.img ::/EFI/BOOT/grub.cfg fat.cfg; cmp fat.cfg EFI/BOOT/grub.cfg; "
            "grub-script-check EFI/BOOT/grub.cfg; cd ../locked-beta; ! grep -qr 'allowoptions\\|superusers' isolinux "
            "EFI; "
            "grep -q '^ui ' isolinux/isolinux.cfg";
        const char *names[] = { "iso" };
        struct strings wanted = { names, 1 };
        struct sample locked;
        EXPECT_OK(sample_open(&locked, "locked", err));
        ((struct role *)locked.roles[0].role)->boot_menu = BOOT_MENU_LOCKED;
        EXPECT_OK(artefacts_write(&locked.build, &wanted, err));
        EXPECT_OK(sample_judge(extract, NULL, err));
        sample_close(&locked);
}

static void the_same_inputs_give_the_same_bits(void) {
        struct sample again;
        EXPECT_OK(sample_judge("sleep 1.1", NULL, err)); // file systems and ISO 9660 count in seconds
        EXPECT_OK(write_kinds(&again, "again", "iso", err));
        EXPECT_OK(sample_judge("cmp out/alpha/demo-alpha.iso again/alpha/demo-alpha.iso; "
                               "cmp out/beta/demo-beta.iso again/beta/demo-beta.iso",
                               NULL, err));
        sample_close(&again);
}

// The second build takes the template of the first, the third makes its own.
static void a_template_gives_what_a_new_volume_gives(void) {
        struct sample warm, cold;
        EXPECT_OK(
            sample_judge("ls cache/iso/*/template.iso; sha256sum cache/iso/*/template.iso >templates", NULL, err));
        EXPECT_OK(write_build(&warm, "warm", "build-with-a-longer-name", err));
        EXPECT_OK(sample_judge("sha256sum -c --quiet templates; mv cache cache-warm", NULL, err));
        EXPECT_OK(write_build(&cold, "cold", "build-with-a-longer-name", err));
        EXPECT_OK(sample_judge("cmp warm/alpha/demo-alpha.iso cold/alpha/demo-alpha.iso; "
                               "cd warm; sha256sum -c --quiet SHA256SUMS; "
                               "! cmp -s alpha/demo-alpha.iso ../out/alpha/demo-alpha.iso; "
                               "grep -q build-with-a-longer-name alpha/demo-alpha.iso",
                               NULL, err));
        sample_close(&warm);
        sample_close(&cold);
}

static void on_demand_gives_the_same_bits(void) {
        struct sample made;
        const char *names[] = { "iso" };
        struct strings wanted = { names, 1 };
        auto_free char *build = xasprintf("%s/demand", sample_top);
        auto_free char *target = xasprintf("%s/demand.iso", sample_top);
        auto_free char *written = NULL;
        EXPECT_OK(sample_open(&made, "demand", err));
        made.cluster->iso = ISO_ON_DEMAND;
        EXPECT_OK(artefacts_write(&made.build, &wanted, err));
        EXPECT(!fs_exists(made.out, "alpha/demo-alpha.iso") && !fs_exists(made.out, "alpha/.iso"));
        EXPECT_OK(iso_write_published(build, "alpha", target, &written, err));
        EXPECT_OK(sample_judge("cmp demand.iso out/alpha/demo-alpha.iso", NULL, err));
        sample_close(&made);
}

static void a_damaged_template_is_made_again(void) {
        struct sample again;
        EXPECT_OK(sample_judge("for t in cache/iso/*/template.iso; do chmod u+w $t; "
                               "printf damage | dd of=$t bs=1 seek=40000 conv=notrunc status=none; done",
                               NULL, err));
        EXPECT_OK(write_build(&again, "mended", "build-with-a-longer-name", err));
        EXPECT_OK(sample_judge("cmp mended/alpha/demo-alpha.iso warm/alpha/demo-alpha.iso", NULL, err));
        sample_close(&again);
}

static void without_a_loader_there_is_no_iso(void) {
        struct err error = { 0 };
        struct cluster cluster = { .release = { .path = "r.yaml", .initrd_compressor = "gzip" } };
        struct artefact_build build = { .cluster = &cluster };
        EXPECT(!iso_kind.check(&build, &error));
        EXPECT(error.kind == ERR_SCHEMA);
        err_release(&error);
}

// EL7.9's grub2-efi-x64 has no gcdx64.efi, and a machine room may have no BIOS.
static void one_kind_of_loader_is_enough(void) {
        const char *names[] = { "iso" };
        struct strings wanted = { names, lengthof(names) };
        for (int without = 0; without < 3; without++) {
                struct sample made;
                auto_buf output = { 0 };
                auto_free char *out = xasprintf("without-%d", without);
                auto_free char *script = xasprintf("xorriso -no_rc -indev %s/alpha/demo-alpha.iso -report_el_torito "
                                                   "plain -report_system_area plain 2>/dev/null",
                                                   out);
                EXPECT_OK(sample_open(&made, out, err));
                if (without == 0)
                        made.cluster->release.bootloader.isolinux = NULL;
                if (without == 1)
                        made.cluster->release.bootloader.grub_efi_iso = NULL;
                if (without == 2)
                        made.cluster->release.bootloader.isohybrid_mbr = NULL;
                EXPECT_OK(artefacts_check(&made.build, &wanted, err) && artefacts_write(&made.build, &wanted, err));
                EXPECT_OK(sample_judge(script, &output, err));
                EXPECT(!strstr(buf_text(&output), "  BIOS  ") == (without == 0));
                EXPECT(!strstr(buf_text(&output), "  UEFI  ") == (without == 1));
                EXPECT(!strstr(buf_text(&output), "GPT") == (without == 1)); // a stick's way to the EFI image
                sample_close(&made);
        }
}

static void labels_fit_the_volume(void) {
        char label[LABEL_SIZE];
        boot_label(&(struct role){ .name = "a-very-long-role-name-that-goes-on-and-on" }, label);
        EXPECT_TEXT(label, "KILN_A_VERY_LONG_ROLE_NAME_THAT_");
}

int main(void) {
        sample_begin();
        RUN(only_what_an_iso_needs_is_written);
        RUN(xorriso_sees_every_way_to_boot);
        RUN(a_stick_has_an_mbr_and_a_gpt_with_the_efi_image);
        RUN(the_content_is_the_published_files);
        RUN(menus_name_the_role_and_every_node);
        RUN(a_locked_role_locks_its_own_menus);
        RUN(the_same_inputs_give_the_same_bits);
        RUN(a_template_gives_what_a_new_volume_gives);
        RUN(on_demand_gives_the_same_bits);
        RUN(a_damaged_template_is_made_again);
        RUN(without_a_loader_there_is_no_iso);
        RUN(one_kind_of_loader_is_enough);
        RUN(labels_fit_the_volume);
        sample_close(&sample);
        return sample_end();
}
