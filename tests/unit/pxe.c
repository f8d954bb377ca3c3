// SPDX-License-Identifier: MIT
#include "artefact/serial_console.h"
#include "tests/artefact/sample.h"
#include "tests/unit/said.h"

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
                "mac/52-54-00-aa-00-03.ipxe", // the second card of alpha1
                "pxelinux.cfg/01-52-54-00-aa-00-03",
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
            "test $(ls pxe/mac | wc -l) = 3; "
            "grep -q 'BOOTIF=01-52-54-00-aa-00-03' pxe/mac/52-54-00-aa-00-03.ipxe",
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
                      "if [ \"$net_default_mac\" = \"52:54:00:aa:00:03\" ]; then\n    set default=node-alpha1\n") !=
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
        EXPECT(strstr(buf_text(&pxelinux), "\nui menu.c32\n") != NULL &&
               strstr(buf_text(&pxelinux), "label exit\n  menu label Boot from the next device\n  localboot") != NULL);
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

// "" is no serial port.
static void the_loaders_speak_where_the_kernel_does(void) {
        static const struct {
                const char *arguments[3], *want;
        } cases[] = {
                { { "quiet" }, "0 115200 n8 loaders' own" },
                { { "console=tty0" }, "" },
                { { "console=ttyAMA0,115200" }, "" },
                { { "console=ttyS1,57600", "console=tty0" }, "1 57600 n8" },
                { { "console=ttyS0,115200", "console=ttyS1" }, "1 9600 n8" },
                { { "console=ttyS2,19200e7r" }, "2 19200 e7" },
                { { "console=ttyS4,115200" }, "" }, // the BIOS has a table of four
                { { "console=ttyS0,1500000" }, "" },
                { { "console=ttyS0,0" }, "" },
                { { "console=ttyS" }, "" },
                { { "console=ttyS99999999999999999999,9600" }, "" },
                { { "console=uart8250,io,0x3e8,38400n8" }, "1000 38400 n8" },
                { { "console=uart,mmio,0xfe000000" }, "" },
                { { "Console=ttyS1", "xconsole=ttyS1" }, "0 115200 n8 loaders' own" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                const char *items[lengthof(cases[i].arguments)];
                struct strings arguments = { items, 0 };
                for (size_t j = 0; j < lengthof(cases[i].arguments) && cases[i].arguments[j]; j++)
                        items[arguments.count++] = cases[i].arguments[j];
                struct serial_console console = serial_console_of(&arguments);
                auto_free char *got =
                    xasprintf("%u %u %c%d", console.port, console.speed, console.parity, console.bits);
                auto_free char *got_own = xasprintf("%s loaders' own", got);
                if (!console.is_used)
                        EXPECT_TEXT("", cases[i].want);
                else if (console.is_said)
                        EXPECT_TEXT(got, cases[i].want);
                else
                        EXPECT_TEXT(got_own, cases[i].want);
        }
}

// The whole tree of roles whose kernel speaks elsewhere.
static void the_port_and_its_speed_are_the_roles(void) {
        struct role *alpha = (struct role *)sample.roles[0].role;
        struct strings before = alpha->kernel_arguments;
        const char *items[] = { "console=ttyS1,57600n8" };
        auto_buf mac = { 0 }, other = { 0 }, menu = { 0 }, grub = { 0 };
        struct artefact_build build = sample.build;
        auto_close int out = sample_dir("serial");
        build.out = out;
        build.sums = file_sums_new();
        alpha->kernel_arguments = (struct strings){ items, 1 };
        EXPECT_OK(pxe_kind.write(&build, NULL, err));
        EXPECT_OK(fs_read(out, "pxe/pxelinux.cfg/01-52-54-00-aa-00-01", &mac, err));
        EXPECT_OK(fs_read(out, "pxe/pxelinux.cfg/01-52-54-00-aa-00-02", &other, err));
        EXPECT_OK(fs_read(out, "pxe/pxelinux.cfg/default", &menu, err));
        EXPECT_OK(fs_read(out, "pxe/grub.cfg", &grub, err));
        EXPECT(strncmp(buf_text(&mac), "serial 1 57600\ndefault node-alpha1\n", 35) == 0);
        EXPECT(strncmp(buf_text(&other), "serial 0 115200\n", 16) == 0);
        EXPECT(strncmp(buf_text(&menu), "serial 0 115200\n", 16) == 0); // the release says it for all
        EXPECT(strstr(buf_text(&grub), "if serial --unit=0 --speed=115200 --word=8 --parity=no; then\n") != NULL);
        items[0] = "console=tty0";
        struct release *release = (struct release *)&build.cluster->release;
        struct strings said = release->kernel_arguments;
        release->kernel_arguments = alpha->kernel_arguments;
        buf_clear(&mac);
        buf_clear(&grub);
        auto_close int silent = sample_dir("silent");
        build.out = silent;
        EXPECT_OK(pxe_kind.write(&build, NULL, err));
        EXPECT_OK(fs_read(silent, "pxe/pxelinux.cfg/01-52-54-00-aa-00-01", &mac, err));
        EXPECT_OK(fs_read(silent, "pxe/grub.cfg", &grub, err));
        EXPECT(strstr(buf_text(&mac), "serial") == NULL && strstr(buf_text(&grub), "serial") == NULL);
        release->kernel_arguments = said;
        alpha->kernel_arguments = before;
        file_sums_free(build.sums);
}

// How often `line` is in a file of the tree.
static size_t count_lines(const struct sample *of, const char *path, const char *line) {
        auto_buf text = { 0 };
        size_t count = 0;
        EXPECT_OK(fs_read(of->out, path, &text, err));
        for (const char *next = buf_text(&text); (next = strstr(next, line)); next += strlen(line))
                count++;
        return count;
}

static const char locked_syslinux[] = "\nprompt 0\nnoescape 1\nallowoptions 0\nimplicit 0\nnocomplete 1\n";
static const char hash[] = "grub.pbkdf2.sha512.10000.00112233445566778899AABBCCDDEEFF.00112233445566778899AABBCCDDEEFF";

static void an_open_menu_says_nothing_of_passwords(void) {
        EXPECT(count_lines(&sample, "pxe/pxelinux.cfg/default", "allowoptions") == 0);
        EXPECT(count_lines(&sample, "pxe/pxelinux.cfg/01-52-54-00-aa-00-01", "noescape") == 0);
        EXPECT(count_lines(&sample, "pxe/grub.cfg", "superusers") == 0);
        EXPECT(count_lines(&sample, "pxe/grub.cfg", "--unrestricted") == 0);
}

// One role of the two says it, and the tree leads to both.
static void one_role_locks_every_menu(void) {
        const char *names[] = { "pxe" };
        struct strings wanted = { names, 1 };
        struct sample locked;
        EXPECT_OK(sample_open(&locked, "locked", err));
        ((struct role *)locked.roles[1].role)->boot_menu = BOOT_MENU_LOCKED;
        EXPECT_OK(artefacts_write(&locked.build, &wanted, err));
        EXPECT(count_lines(&locked, "pxe/pxelinux.cfg/default", locked_syslinux) == 1);
        EXPECT(count_lines(&locked, "pxe/pxelinux.cfg/01-52-54-00-aa-00-01", locked_syslinux) == 1);
        EXPECT(count_lines(&locked, "pxe/pxelinux.cfg/01-52-54-00-aa-00-02", locked_syslinux) == 1);
        EXPECT(count_lines(&locked, "pxe/grub.cfg", "\nset superusers=operator\nexport superusers\n") == 1);
        EXPECT(count_lines(&locked, "pxe/grub.cfg", "password_pbkdf2") == 0);
        size_t entries = count_lines(&locked, "pxe/grub.cfg", "\nmenuentry ");
        EXPECT(entries == 6 && count_lines(&locked, "pxe/grub.cfg", "' --unrestricted --id ") == entries);
        EXPECT_OK(sample_judge("grub-script-check locked/pxe/grub.cfg", NULL, err));
        sample_close(&locked);
}

static void a_password_needs_a_grub_that_asks_for_it(void) {
        const char *names[] = { "pxe" };
        struct strings wanted = { names, 1 };
        struct sample locked;
        auto_err lacking = { 0 };
        EXPECT_OK(sample_open(&locked, "asked", err));
        ((struct role *)locked.roles[0].role)->boot_menu = BOOT_MENU_LOCKED;
        locked.cluster->boot_menu_password = hash;
        EXPECT(!artefacts_write(&locked.build, &wanted, &lacking));
        EXPECT(strstr(lacking.text, "/bl/grubx64.efi does not know password_pbkdf2") != NULL);
        sample_close(&locked);
        EXPECT_OK(sample_open(&locked, "known", err));
        ((struct role *)locked.roles[0].role)->boot_menu = BOOT_MENU_LOCKED;
        locked.cluster->boot_menu_password = hash;
        sample_put("bootloader/bl/grubx64.efi", "MZ..\0linux\0initrd\0password_pbkdf2", 34, 0644);
        EXPECT_OK(artefacts_write(&locked.build, &wanted, err));
        auto_free char *line = xasprintf("\npassword_pbkdf2 operator %s\n", hash);
        EXPECT(count_lines(&locked, "pxe/grub.cfg", line) == 1);
        EXPECT_OK(
            sample_judge("grub-script-check known/pxe/grub.cfg; ! grep -r pbkdf2 known/pxe/pxelinux.cfg", NULL, err));
        sample_close(&locked);
}

// newc's 8 hexadecimal digits end below 4 GiB.
static void a_root_that_no_initrd_carries_has_no_entry(void) {
        auto_buf text = { 0 };
        struct sample large;
        auto_err failure = { 0 };
        const char *names[] = { "pxe" };
        struct strings only = { names, 1 };
        EXPECT_OK(sample_open(&large, "large", err));
        EXPECT_OK(artefacts_write(&large.build, &only, err));
        EXPECT_OK(sample_judge("rm -r large/pxe", NULL, err));
        large.roles[0].root_size_bytes = UINT64_C(5) << 30;
        struct said said = said_begin();
        large.build.only = NULL;
        large.build.sums = file_sums_new();
        EXPECT_OK(pxe_kind.write(&large.build, NULL, err));
        said_end(&said, &text);
        EXPECT_OK(sample_judge(
            "cd large/pxe; test ! -e images/alpha && test -e images/beta/rootfs.tail && ! grep -r alpha . && "
            "test -e mac/52-54-00-aa-00-02.ipxe && test ! -e mac/52-54-00-aa-00-01.ipxe",
            NULL, err));
        EXPECT(strstr(buf_text(&text), "role alpha: its packed root has 5368709120 bytes, and an initrd"));
        large.build.only = &only;
        EXPECT(!pxe_kind.write(&large.build, NULL, &failure));
        EXPECT(failure.kind == ERR_CLUSTER && strstr(failure.text, "role alpha: its packed root has 5368709120"));
        file_sums_free(large.build.sums);
        large.build.sums = NULL;
        sample_close(&large);
}

// What brings the root each time cannot be what a node that keeps it boots by.
static void a_root_that_nodes_keep_is_fetched(void) {
        struct sample kept;
        auto_err failure = { 0 };
        const char *names[] = { "pxe" };
        struct strings only = { names, 1 };
        EXPECT_OK(sample_open(&kept, "kept", err));
        ((struct role *)kept.roles[0].role)->state_disk = (struct state_disk){ .wanted = true, .root_cache = true };
        EXPECT(!artefacts_check(&kept.build, &only, &failure) && failure.kind == ERR_CLUSTER);
        EXPECT(strstr(failure.text, "role alpha: its nodes keep their root"));
        EXPECT(strstr(failure.text, "nothing says where they fetch it from"));
        err_release(&failure);
        failure = (struct err){ 0 };
        kept.build.http_base = "https://kiln.example";
        EXPECT(!artefacts_check(&kept.build, &only, &failure));
        EXPECT(strstr(failure.text, "cannot fetch it from https://kiln.example"));
        kept.build.http_base = "http://10.1.0.2/builds/";
        EXPECT_OK(artefacts_check(&kept.build, &only, err));
        EXPECT_OK(artefacts_write(&kept.build, &only, err));
        EXPECT_OK(sample_judge(
            "cd kept; url=http://10.1.0.2/builds/blobs/sha256/$(sha256sum < alpha/rootfs.squashfs | cut -c1-64); "
            "for f in pxe/mac/52-54-00-aa-00-01.ipxe pxe/node/alpha2.ipxe pxe/role/alpha.ipxe "
            "pxe/pxelinux.cfg/01-52-54-00-aa-00-01; do "
            "grep -q \"kiln.role=alpha kiln.root=$url \\|kiln.root=$url\\$\" $f; "
            "! grep 'carried\\|rootfs.head\\|rootfs.tail' $f; done; "
            "for f in pxe/grub.cfg pxe/pxelinux.cfg/default; do grep -q \"kiln.role=alpha kiln.root=$url\" $f; "
            "grep -q 'kiln.role=beta kiln.root=carried' $f; ! grep alpha/rootfs $f; grep -q beta/rootfs.tail $f; done; "
            "test ! -e pxe/images/alpha/rootfs.head; test -e pxe/images/alpha/config.cpio; "
            "grep -q 'initrd=config.cpio$' pxe/mac/52-54-00-aa-00-01.ipxe; "
            "grep -q 'kiln.root=carried' pxe/mac/52-54-00-aa-00-02.ipxe; grub-script-check pxe/grub.cfg",
            NULL, err));
        // No initrd needs to carry it.
        kept.roles[0].root_size_bytes = UINT64_C(5) << 30;
        EXPECT_OK(sample_judge("rm -r kept/pxe", NULL, err));
        kept.build.sums = file_sums_new();
        EXPECT_OK(pxe_kind.write(&kept.build, NULL, err));
        EXPECT_OK(sample_judge("test -e kept/pxe/mac/52-54-00-aa-00-01.ipxe", NULL, err));
        file_sums_free(kept.build.sums);
        kept.build.sums = NULL;
        sample_close(&kept);
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
        RUN(the_loaders_speak_where_the_kernel_does);
        RUN(the_port_and_its_speed_are_the_roles);
        RUN(grub_accepts_the_configurations);
        RUN(a_root_that_no_initrd_carries_has_no_entry);
        RUN(a_root_that_nodes_keep_is_fetched);
        RUN(an_open_menu_says_nothing_of_passwords);
        RUN(one_role_locks_every_menu);
        RUN(a_password_needs_a_grub_that_asks_for_it);
        sample_close(&sample);
        return sample_end();
}
