// SPDX-License-Identifier: MIT
// kiln.efi and what it is made of, with systemd's stub; objcopy and xorriso are the judges.
#include "tests/artefact/sample.h"

#include "artefact/bootloader.h"
#include "uki/pe_image.h"

static struct sample sample;

static const char keys[] =
    "trusted_keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\"]\n";

static void put_cluster(const char *more) {
        auto_free char *text = xasprintf("%s%s", sample_cluster, more);
        sample_text("cluster.yaml", text);
}

static bool write_wanted(struct sample *made, const char *out, struct strings wanted, struct err *err) {
        if (!sample_open(made, out, err))
                return false;
        made->build.http_base = "http://10.1.0.2:80//";
        return artefacts_check(&made->build, &wanted, err) && artefacts_write(&made->build, &wanted, err);
}

static void it_is_made_if_it_is_asked_for(void) {
        static const char *const kinds[] = { "uki" };
        put_cluster(keys);
        EXPECT_OK(write_wanted(&sample, "all", (struct strings){ 0 }, err));
        EXPECT(fs_exists(sample.out, "alpha/initrd.img") && !fs_exists(sample.out, "alpha/kiln.efi"));
        sample_close(&sample);
        EXPECT_OK(write_wanted(&sample, "only", (struct strings){ (const char **)kinds, 1 }, err));
        EXPECT(fs_exists(sample.out, "alpha/kiln.efi") && !fs_exists(sample.out, "pxe"));
        EXPECT(fs_exists(sample.out, "alpha/config.cpio") && fs_exists(sample.out, "alpha/rootfs.squashfs"));
        sample_close(&sample);
        auto_free char *own = xasprintf("%ssecure_boot: own\n", keys);
        put_cluster(own);
        EXPECT_OK(write_wanted(&sample, "out", (struct strings){ 0 }, err));
        EXPECT(fs_exists(sample.out, "alpha/kiln.efi") && fs_exists(sample.out, "beta/kiln.efi"));
        EXPECT_OK(sample_judge("cmp only/alpha/kiln.efi out/alpha/kiln.efi", NULL, err));
}

static void its_sections_are_the_published_files(void) {
        auto_buf output = { 0 };
        EXPECT_OK(sample_judge("for name in osrel cmdline uname linux initrd; do"
                               " objcopy -O binary --only-section=.$name out/alpha/kiln.efi $name; done;"
                               "cmp linux out/alpha/vmlinuz; cmp initrd out/alpha/initrd.img; cat osrel; tr '\\0' "
                               "'\\n' <cmdline; cat uname",
                               &output, err));
        EXPECT_TEXT(buf_text(&output),
                    "ID=kiln\nNAME=\"kiln\"\nPRETTY_NAME=\"kiln: demo, role alpha (test)\"\n"
                    "console=ttyS0,115200 quiet mem=1G;x kiln.role=alpha kiln.root=medium:KILN_ALPHA,"
                    "http://10.1.0.2:80/current/alpha/rootfs.squashfs kiln.on_failure=retry kiln.reboot_delay=10\n1.2");
}

static void servers_and_media_offer_it(void) {
        EXPECT_OK(
            sample_judge("cmp out/alpha/kiln.efi out/pxe/images/alpha/kiln.efi;"
                         "xorriso -no_rc -osirrox on -indev out/alpha/demo-alpha.iso -extract / x 2>/dev/null;"
                         "cmp x/boot/boot.sums out/alpha/boot.sums; test -e x/boot/boot.sums.sig; test ! -e x/EFI;"
                         "mcopy -i x/boot/efiboot.img ::/EFI/BOOT/BOOTX64.EFI fat.efi; cmp fat.efi out/alpha/kiln.efi;"
                         "test $(mdir -b -i x/boot/efiboot.img ::/EFI/BOOT | wc -l) = 1;"
                         "grep -q ' alpha/kiln.efi' out/SHA256SUMS; grep -q '\"alpha/kiln.efi\"' out/manifest.json;"
                         "grep -q systemd-stub out/sbom.spdx.json",
                         NULL, err));
}

// A configuration that differs does not ask for another signature.
static void it_stays_while_the_configuration_changes(void) {
        struct sample other;
        sample_text("config/etc/hostname", "y\n");
        EXPECT_OK(write_wanted(&other, "again", (struct strings){ 0 }, err));
        EXPECT_OK(sample_judge("cmp out/alpha/kiln.efi again/alpha/kiln.efi; ! cmp -s out/alpha/config.cpio "
                               "again/alpha/config.cpio",
                               NULL, err));
        sample_close(&other);
}

// The signatures of a build that is made again are those of the published one, even if they are no signatures.
static void kept_signatures_are_taken_over(void) {
        static const char *const kinds[] = { "uki" };
        struct kept_signature item = { .role = "alpha", .certificates = "16 bytes of these", .certificates_bytes = 16 };
        struct kept_signatures kept = { .items = &item, .count = 1 };
        struct strings wanted = { (const char **)kinds, 1 };
        struct sample made;
        EXPECT_OK(sample_open(&made, "kept", err));
        made.build.kept = &kept;
        EXPECT_OK(artefacts_write(&made.build, &wanted, err));
        EXPECT_OK(sample_judge("test \"$(tail -c 16 kept/alpha/kiln.efi)\" = '16 bytes of thes';"
                               "objcopy -O binary --only-section=.cmdline kept/beta/kiln.efi line;"
                               "grep -q 'kiln.root=medium:KILN_BETA kiln.on_failure' line",
                               NULL, err));
        sample_close(&made);
}

static void refused(const char *more, const char *stub, const char *http_base, const char *problem) {
        static const char *const kinds[] = { "uki" };
        struct strings wanted = { (const char **)kinds, 1 };
        struct sample made;
        struct err failure = { 0 };
        put_cluster(more);
        EXPECT_OK(sample_open(&made, "refused", err));
        made.build.uki_stub = stub;
        made.build.http_base = http_base;
        EXPECT(!artefacts_check(&made.build, &wanted, &failure));
        const char *found = NULL;
        if (failure.text)
                found = strstr(failure.text, problem);
        EXPECT_TEXT(found, problem);
        err_release(&failure);
        sample_close(&made);
}

static void what_cannot_be_is_said_before(void) {
        refused("", NULL, NULL, "needs trusted_keys: it would take anybody's configuration and root");
        refused(keys, "/no/stub", NULL, "the EFI stub /no/stub is missing");
        refused(keys, "/bin/true", NULL, "the EFI stub /bin/true: it is no EFI program");
        refused(keys, "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", NULL, "is not systemd's EFI stub");
        refused(keys, NULL, "https://10.1.0.2",
                "--http-base https://10.1.0.2: the initrd of a unified kernel image speaks http:// only");
}

static void a_kernel_that_is_no_program(void) {
        static const char *const kinds[] = { "uki" };
        struct strings wanted = { (const char **)kinds, 1 };
        struct sample made;
        struct err failure = { 0 };
        put_cluster(keys);
        sample_text("root/boot/vmlinuz-1.2", "no kernel");
        EXPECT_OK(sample_open(&made, "no-kernel", err));
        made.roles[0].root_key = made.roles[1].root_key = "another";
        EXPECT(!artefacts_write(&made.build, &wanted, &failure));
        EXPECT(failure.text && strstr(failure.text, "is no EFI program (CONFIG_EFI_STUB)"));
        err_release(&failure);
        sample_close(&made);
}

int main(void) {
        sample_begin();
        sample_text("root/boot/vmlinuz-1.2", "MZ kernel");
        RUN(it_is_made_if_it_is_asked_for);
        RUN(its_sections_are_the_published_files);
        RUN(servers_and_media_offer_it);
        RUN(it_stays_while_the_configuration_changes);
        RUN(kept_signatures_are_taken_over);
        sample_close(&sample);
        RUN(what_cannot_be_is_said_before);
        RUN(a_kernel_that_is_no_program);
        return sample_end();
}
