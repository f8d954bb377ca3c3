// SPDX-License-Identifier: MIT
#include "tests/artefact/sample.h"

static struct sample sample;

static void the_tree_is_complete(void) {
        static const char *const paths[] = {
                "pxelinux.0",
                "ldlinux.c32",
                "grubx64.efi",
                "shimx64.efi",
                "undionly.kpxe",
                "ipxe.efi",
                "boot.ipxe",
                "grub.cfg",
                "grub/grub.cfg",
                "grub/here.cfg",
                "pxelinux.cfg/default",
                "pxelinux.cfg/01-52-54-00-aa-00-01",
                "mac/52-54-00-aa-00-01.ipxe",
                "mac/52-54-00-aa-00-02.ipxe",
                "node/alpha2.ipxe",
                "role/alpha.ipxe",
                "images/beta/rootfs.tail",
        };
        const char *names[] = { "pxe" };
        struct strings wanted = { names, 1 };
        EXPECT_OK(sample_open(&sample, "out", err));
        EXPECT_OK(artefacts_check(&sample.build, &wanted, err));
        EXPECT_OK(artefacts_write(&sample.build, &wanted, err));
        for (size_t i = 0; i < lengthof(paths); i++) {
                auto_free char *path = xasprintf("pxe/%s", paths[i]);
                if (!fs_exists(sample.out, path)) {
                        printf("# missing: %s\n", paths[i]);
                        EXPECT(false);
                }
        }
        EXPECT_OK(sample_judge(
            "cd out; test pxe/images/alpha/rootfs.squashfs -ef alpha/rootfs.squashfs; ! test -e pxe/mac/.ipxe; "
            "test $(ls pxe/mac | wc -l) = 2",
            NULL, err));
}

// Follows every path of a configuration as its loader would, from where the loader would.
static void every_path_leads_to_a_file(void) {
        EXPECT_OK(sample_judge(
            "cd out/pxe; for f in pxelinux.cfg/*; do for p in $(sed -n 's/^ *\\(kernel\\|initrd\\) //p' $f | tr , ' "
            "'); do "
            "test -f $p; done; done; "
            "for f in role/*.ipxe node/*.ipxe mac/*.ipxe; do head -n 1 $f | grep -qx '#!ipxe'; for p in $(sed -n "
            "'s/^kernel "
            "\\([^ ]*\\).*/\\1/p; s/^initrd --name [^ ]* //p' $f); do test -f $(dirname $f)/$p; done; test $(grep -c "
            "^initrd $f) "
            "= 5; done; for p in $(sed -n 's/^chain \\([^ $]*\\) .*/\\1/p' boot.ipxe); do test -f $p; done; "
            "for p in $(grep -o '\\$kiln/[^\"]*' grub.cfg | sed 's/.kiln.//'); do test -f $p; done",
            NULL, err));
}

static void text_of(const char *path, struct buf *to) { EXPECT_OK(fs_read(sample.out, path, to, err)); }

static void a_known_machine_goes_straight_to_its_image(void) {
        auto_buf pxelinux = { 0 };
        auto_buf ipxe = { 0 };
        auto_buf grub = { 0 };
        text_of("pxe/pxelinux.cfg/01-52-54-00-aa-00-01", &pxelinux);
        text_of("pxe/mac/52-54-00-aa-00-01.ipxe", &ipxe);
        text_of("pxe/grub.cfg", &grub);
        EXPECT(strstr(buf_text(&pxelinux), "default node-alpha1\nprompt 0\n") != NULL);
        EXPECT(strstr(buf_text(&pxelinux),
                      "append console=ttyS0,115200 quiet mem=1G;x kiln.role=alpha kiln.root=carried\n  ipappend 2\n") !=
               NULL);
        EXPECT(strstr(buf_text(&ipxe),
                      "kiln.role=alpha kiln.root=carried BOOTIF=01-52-54-00-aa-00-01 initrd=initrd.img") != NULL);
        EXPECT(strstr(buf_text(&grub),
                      "if [ \"$net_default_mac\" = \"52:54:00:aa:00:02\" ]; then\n    set default=node-beta1\n") !=
               NULL);
        EXPECT(strstr(buf_text(&grub),
                      "    linux \"$kiln/images/alpha/vmlinuz\" console=ttyS0,115200 quiet 'mem=1G;x'") != NULL);
}

static void an_unknown_machine_gets_a_menu(void) {
        auto_buf pxelinux = { 0 };
        auto_buf ipxe = { 0 };
        auto_buf role = { 0 };
        text_of("pxe/pxelinux.cfg/default", &pxelinux);
        text_of("pxe/boot.ipxe", &ipxe);
        text_of("pxe/role/beta.ipxe", &role);
        // beta is the only role that takes strangers
        EXPECT(strstr(buf_text(&pxelinux), "default role-beta\n") != NULL);
        EXPECT(strncmp(buf_text(&ipxe), "#!ipxe\n", 7) == 0);
        EXPECT(strstr(buf_text(&ipxe), "choose --default role-beta --timeout 30000 selected || goto exit\n") != NULL);
        EXPECT(strstr(buf_text(&ipxe), ":node-alpha2\nchain node/alpha2.ipxe || goto list\n") != NULL);
        EXPECT(strstr(buf_text(&role), "BOOTIF=01-${netX/mac:hexhyp}") != NULL &&
               strstr(buf_text(&role), "kiln.node=") == NULL);
}

static void without_a_role_for_strangers_it_leaves(void) {
        auto_buf pxelinux = { 0 };
        struct role *beta = (struct role *)sample.roles[1].role;
        struct role *alpha = (struct role *)sample.roles[0].role;
        auto_close int again = sample_dir("again");
        struct artefact_build build = sample.build;
        build.out = again;
        build.sums = file_sums_new();
        beta->strangers = false;
        EXPECT_OK(pxe_kind.write(&build, NULL, err));
        EXPECT_OK(fs_read(again, "pxe/pxelinux.cfg/default", &pxelinux, err));
        EXPECT(strstr(buf_text(&pxelinux), "default exit\n") != NULL &&
               strstr(buf_text(&pxelinux), "localboot -1\n") != NULL);
        alpha->strangers = beta->strangers = true;
        auto_close int both = sample_dir("both");
        build.out = both;
        EXPECT_OK(pxe_kind.write(&build, NULL, err));
        buf_clear(&pxelinux);
        EXPECT_OK(fs_read(both, "pxe/pxelinux.cfg/default", &pxelinux, err));
        EXPECT(strstr(buf_text(&pxelinux), "default exit\n") != NULL);
        file_sums_free(build.sums);
}

static void grub_accepts_the_configurations(void) {
        EXPECT_OK(sample_judge("grub-script-check out/pxe/grub.cfg", NULL, err));
}

int main(void) {
        sample_begin();
        RUN(the_tree_is_complete);
        RUN(every_path_leads_to_a_file);
        RUN(a_known_machine_goes_straight_to_its_image);
        RUN(an_unknown_machine_gets_a_menu);
        RUN(without_a_role_for_strangers_it_leaves);
        RUN(grub_accepts_the_configurations);
        sample_close(&sample);
        return sample_end();
}
