// SPDX-License-Identifier: MIT
#include "artefact/initrd/cpio.h"

#include "artefact/initrd/initrd_part.h"
#include "tests/artefact/sample.h"
#include "tests/unit/root.h"
#include "tests/unit/said.h"

static struct sample sample;

static bool write_kind(struct sample *made, const char *out, const char *kind, struct err *err) {
        const char *names[] = { kind };
        struct strings wanted = { names, 1 };
        return sample_open(made, out, err) && artefacts_write(&made->build, &wanted, err);
}

static void cpio_lists_and_unpacks_the_layer(void) {
        auto_buf output = { 0 };
        EXPECT_OK(write_kind(&sample, "out", "config", err));
        EXPECT_OK(sample_judge("gzip -t out/alpha/config.cpio 2>&1 | grep -v 'trailing zero' || true; "
                               "gzip -dc out/alpha/config.cpio > a.cpio; cpio -itv -n --quiet < a.cpio",
                               &output, err));
        const char *text = buf_text(&output);
        EXPECT(strstr(text, "kiln/root.conf\n") != NULL && strstr(text, "kiln/config/etc/hostname\n") != NULL);
        EXPECT(strstr(text, "kiln/config/etc/link -> hostname\n") != NULL);
        EXPECT(strstr(text, "c---------") != NULL && strstr(text, "kiln/config/etc/removed\n") != NULL);
        EXPECT_OK(sample_judge(
            "mkdir u; cd u; cpio -id --quiet < ../a.cpio; cmp kiln/config/etc/hostname ../config/etc/hostname; "
            "test kiln/config/etc/copy -ef kiln/config/etc/second; grep -q linked kiln/config/etc/copy; "
            "test -c kiln/config/etc/removed",
            NULL, err));
}

static void root_conf_binds_the_layer_to_its_root(void) {
        auto_buf text = { 0 };
        auto_free char *want =
            xasprintf("ROOT_SHA256=%s\nROOT_SIZE=%llu\nROLE=alpha\nCLUSTER=demo\nBUILD_ID=build-1\nRELEASE=test\n"
                      "OVERLAY_SIZE=50%%\nON_FAILURE=retry\nREBOOT_DELAY_S=10\n",
                      sample.roles[0].root_sha256, (unsigned long long)sample.roles[0].root_size_bytes);
        EXPECT_OK(fs_read(sample_fd, "u/kiln/root.conf", &text, err));
        EXPECT_TEXT(buf_text(&text), want);
        EXPECT(strlen(sample.roles[0].root_sha256) == 64);
}

// Only a role that wants its writable layer on the state disk makes the initrd look for the disk before the root.
static void root_conf_says_where_the_writable_layer_goes(void) {
        const char *names[] = { "config" };
        struct strings wanted = { names, 1 };
        struct sample on_disk;
        auto_buf text = { 0 };
        EXPECT_OK(sample_open(&on_disk, "on-disk", err));
        ((struct role *)on_disk.roles[0].role)->state_disk = (struct state_disk){ .wanted = true, .overlay = true };
        const char *mirrors[] = { "http://10.0.0.9/kiln/", "http://10.0.0.8:81" };
        ((struct cluster *)on_disk.build.cluster)->mirrors = (struct strings){ mirrors, 2 };
        EXPECT_OK(artefacts_write(&on_disk.build, &wanted, err));
        EXPECT_OK(sample_judge("mkdir v; cd v; gzip -dc ../on-disk/alpha/config.cpio 2>/dev/null | cpio -id --quiet",
                               NULL, err));
        EXPECT_OK(fs_read(sample_fd, "v/kiln/root.conf", &text, err));
        EXPECT(strstr(buf_text(&text), "\nOVERLAY_DISK=1\n"));
        EXPECT(strstr(buf_text(&text), "\nMIRRORS=http://10.0.0.9/kiln/build-1/alpha/rootfs.squashfs,"
                                       "http://10.0.0.8:81/build-1/alpha/rootfs.squashfs\n"));
        sample_close(&on_disk);
}

// Nodes that keep their root know what its chunks are, and ask every server by the digest.
static void root_conf_says_where_the_chunks_are(void) {
        const char *names[] = { "config" };
        struct strings wanted = { names, 1 };
        struct sample kept;
        auto_buf text = { 0 };
        EXPECT_OK(sample_open(&kept, "kept", err));
        ((struct role *)kept.roles[0].role)->state_disk = (struct state_disk){ .wanted = true, .root_cache = true };
        const char *mirrors[] = { "http://10.0.0.9/kiln/", "http://10.0.0.8:5000/v2/site/roots/blobs" };
        ((struct cluster *)kept.build.cluster)->mirrors = (struct strings){ mirrors, 2 };
        EXPECT_OK(artefacts_write(&kept.build, &wanted, err));
        EXPECT_OK(sample_judge(
            "mkdir w; cd w; gzip -dc ../kept/alpha/config.cpio 2>/dev/null | cpio -id --quiet; "
            "grep -qx CHUNKS_SHA256=$(sha256sum < ../kept/alpha/rootfs.chunks | cut -c1-64) kiln/root.conf; "
            "grep -qx CHUNKS_SIZE=$(stat -c %s ../kept/alpha/rootfs.chunks) kiln/root.conf; "
            "! (gzip -dc ../kept/beta/config.cpio 2>/dev/null | grep -aq CHUNKS_)",
            NULL, err));
        EXPECT_OK(fs_read(sample_fd, "w/kiln/root.conf", &text, err));
        auto_free char *line = xasprintf("\nMIRRORS=http://10.0.0.9/kiln/blobs/sha256/%s,"
                                         "http://10.0.0.8:5000/v2/site/roots/blobs/sha256:%s\n",
                                         kept.roles[0].root_sha256, kept.roles[0].root_sha256);
        EXPECT(strstr(buf_text(&text), line));
        sample_close(&kept);
}

static void the_size_is_a_multiple_of_4096_and_the_bits_repeat(void) {
        struct sample again;
        EXPECT_OK(sample_judge("sleep 1.1; touch config/etc/hostname", NULL, err));
        EXPECT_OK(write_kind(&again, "again", "config", err));
        EXPECT_OK(sample_judge("cmp out/alpha/config.cpio again/alpha/config.cpio; "
                               "test $(($(stat -c %s out/alpha/config.cpio) % 4096)) = 0",
                               NULL, err));
        sample_close(&again);
}

static void a_capability_is_refused(void) {
        struct err error = { 0 };
        EXPECT_OK(sample_judge("setcap cap_net_raw+ep config/etc/hostname", NULL, err));
        EXPECT(!config_kind.write(&sample.build, &sample.roles[0], &error));
        EXPECT(error.kind == ERR_REFERENCE && strstr(error.text, "/etc/hostname") != NULL);
        EXPECT_OK(sample_judge("setcap -r config/etc/hostname", NULL, err));
        err_release(&error);
}

static void an_attribute_that_is_lost_is_told(void) {
        auto_buf text = { 0 };
        struct said said = said_begin();
        EXPECT_OK(
            sample_judge("python3 -c 'import os; os.setxattr(\"config/etc\", \"user.note\", b\"x\")'", NULL, err));
        EXPECT(config_kind.write(&sample.build, &sample.roles[0], &(struct err){ 0 }));
        said_end(&said, &text);
        EXPECT(strstr(buf_text(&text), "/etc: its attribute user.note is left out") != NULL);
}

static void the_root_must_be_packed_first(void) {
        struct err error = { 0 };
        struct artefact_role role = sample.roles[0];
        role.root_sha256[0] = '\0';
        EXPECT(!config_kind.write(&sample.build, &role, &error));
        err_release(&error);
}

static void xz_parts_carry_crc32(void) {
        auto_buf output = { 0 };
        auto_buf archive = { 0 };
        buf_append_zeros(&archive, 100000);
        EXPECT_OK(initrd_part_write("xz", &archive, INITRD_PART_ALIGN_BYTES, sample_fd, "part.xz", err));
        EXPECT_OK(
            sample_judge("test $(($(stat -c %s part.xz) % 4096)) = 0; xz -dc part.xz | wc -c; xz --robot -lvv part.xz",
                         &output, err));
        EXPECT(strncmp(buf_text(&output), "100000\n", 7) == 0 && strstr(buf_text(&output), "\tCRC32\t") != NULL);
}

int main(void) {
        become_root();
        sample_begin();
        RUN(cpio_lists_and_unpacks_the_layer);
        RUN(root_conf_binds_the_layer_to_its_root);
        RUN(root_conf_says_where_the_writable_layer_goes);
        RUN(root_conf_says_where_the_chunks_are);
        RUN(the_size_is_a_multiple_of_4096_and_the_bits_repeat);
        RUN(a_capability_is_refused);
        RUN(an_attribute_that_is_lost_is_told);
        RUN(the_root_must_be_packed_first);
        RUN(xz_parts_carry_crc32);
        sample_close(&sample);
        return sample_end();
}
