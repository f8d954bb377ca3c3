// SPDX-License-Identifier: MIT
#include "tests/artefact/sample.h"

#define ARGUMENTS "console=ttyS0,115200 quiet mem=1G;x" // the release's, then the role's

static struct sample sample;

static void expect_file(const char *path, const char *want) {
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(sample.out, path, &text, err));
        EXPECT_TEXT(buf_text(&text), want);
}

static void one_for_the_role_and_one_for_each_node(void) {
        const char *names[] = { "kickstart" };
        struct strings wanted = { names, 1 };
        EXPECT_OK(sample_open(&sample, "out", err));
        sample.build.http_base = "http://10.1.0.2/kiln/";
        EXPECT_OK(artefacts_check(&sample.build, &wanted, err));
        EXPECT_OK(artefacts_write(&sample.build, &wanted, err));
        const char *sha256 = sample.roles[0].root_sha256;
        auto_free char *start =
            xasprintf("# alpha hello\nliveimg --url=http://10.1.0.2/kiln/build-1/alpha/rootfs.squashfs "
                      "--checksum=%s\n",
                      sha256);
        auto_free char *role = xasprintf(
            "%snetwork --bootproto=dhcp\n# http://10.1.0.2/kiln/build-1/alpha/config.cpio " ARGUMENTS "\n", start);
        auto_free char *node = xasprintf("%snetwork --ip=10.1.0.12 --hostname=alpha2 --netmask=255.255.240.0\n"
                                         "# http://10.1.0.2/kiln/build-1/alpha/config.cpio " ARGUMENTS "\n",
                                         start);
        expect_file("kickstart/alpha.ks", role);
        expect_file("kickstart/alpha2.ks", node);
        EXPECT(fs_exists(sample.out, "kickstart/alpha1.ks"));
        EXPECT(!fs_exists(sample.out, "kickstart/beta.ks")); // the role has no template
}

static void nothing_is_written_without_a_url(void) {
        const char *names[] = { "kickstart" };
        struct strings wanted = { names, 1 };
        struct err error = { 0 };
        sample.build.http_base = NULL;
        sample.build.only = NULL;
        EXPECT_OK(fs_remove_tree(sample.out, "kickstart", err));
        EXPECT_OK(artefacts_check(&sample.build, &wanted, err)); // with a warning
        EXPECT_OK(kickstart_kind.write(&sample.build, NULL, err));
        EXPECT(!fs_exists(sample.out, "kickstart/alpha.ks"));
        sample.build.only = &wanted; // asked for by name
        EXPECT(!artefacts_check(&sample.build, &wanted, &error));
        EXPECT(error.kind == ERR_USAGE && strstr(error.text, "at which URL") != NULL && error.hint != NULL);
        sample.build.only = NULL;
        err_release(&error);
}

static void the_installers_own_medium_is_named(void) {
        auto_buf text = { 0 };
        sample.build.http_base = "file:///run/install/repo/";
        EXPECT_OK(kickstart_kind.write(&sample.build, NULL, err));
        EXPECT_OK(fs_read(sample.out, "kickstart/alpha.ks", &text, err));
        EXPECT(strstr(buf_text(&text), "--url=file:///run/install/repo/kiln/rootfs.squashfs ") != NULL);
}

static void a_wrong_variable_is_named_with_its_place(void) {
        struct err error = { 0 };
        sample_text("ks/alpha.ks.tmpl", "fine\n{{artefact.nothing}}\n");
        EXPECT(!kickstart_kind.write(&sample.build, NULL, &error));
        EXPECT(error.kind == ERR_TEMPLATE && strstr(error.text, "alpha.ks.tmpl:2:") != NULL);
        err_release(&error);
}

int main(void) {
        sample_begin();
        RUN(one_for_the_role_and_one_for_each_node);
        RUN(nothing_is_written_without_a_url);
        RUN(the_installers_own_medium_is_named);
        RUN(a_wrong_variable_is_named_with_its_place);
        sample_close(&sample);
        return sample_end();
}
