// SPDX-License-Identifier: MIT
#include "artefact/initrd/modinfo.h"
#include "artefact/initrd/modules.h"
#include "tests/artefact/sample.h"
#include "tests/unit/root.h"

static struct sample sample;

static bool write_kind(struct sample *made, const char *out, const char *kind, struct err *err) {
        const char *names[] = { kind };
        struct strings wanted = { names, 1 };
        return sample_open(made, out, err) && artefacts_check(&made->build, &wanted, err) &&
               artefacts_write(&made->build, &wanted, err);
}

static void the_parts_are_there(void) {
        EXPECT_OK(write_kind(&sample, "out", "initrd", err));
        EXPECT_OK(
            sample_judge("gzip -dc out/alpha/initrd.img > i.cpio; mkdir i; cd i; "
                         "cpio -i --quiet --nonmatching 'dev/*' < ../i.cpio; cpio -itvn --quiet < ../i.cpio > list; "
                         "grep -Eq '^crw-------  *1 0  *0  *5,  *1 .* dev/console$' list; rm list; test -x init; cmp "
                         "bin/kiln-node /bin/true; cmp bin/busybox /bin/busybox; "
                         "test $(readlink bin/sh) = /bin/busybox; chroot . /bin/sh -c 'echo works' | grep -q works; "
                         "test $(($(stat -c %s ../out/alpha/initrd.img) % 4096)) = 0; test $(stat -c %a root) = 700",
                         NULL, err));
}

static void every_parent_comes_before_its_children(void) {
        EXPECT_OK(sample_judge("cpio -it --quiet < i.cpio | python3 -c \"import sys\nseen = {''}\n"
                               "for line in sys.stdin:\n path = line.rstrip('\\n')\n parent = path.rpartition('/')[0]\n"
                               " assert parent in seen, path\n assert path not in seen, path\n seen.add(path)\"",
                               NULL, err));
}

static void modules_come_with_what_they_need(void) {
        auto_buf dep = { 0 };
        auto_buf alias = { 0 };
        auto_buf softdep = { 0 };
        EXPECT_OK(fs_read(sample_fd, "i/lib/modules/1.2/modules.dep", &dep, err));
        EXPECT_OK(fs_read(sample_fd, "i/lib/modules/1.2/modules.alias", &alias, err));
        EXPECT_OK(fs_read(sample_fd, "i/lib/modules/1.2/modules.softdep", &softdep, err));
        EXPECT_TEXT(
            buf_text(&dep),
            "kernel/first.ko: kernel/drivers/second-mod.ko\nkernel/drivers/second-mod.ko:\nupdates/third.ko:\n");
        EXPECT_TEXT(buf_text(&alias), "alias pci:v00001AF4d* first\nalias fs-second second_mod\n");
        EXPECT_TEXT(buf_text(&softdep), "softdep first pre: third post: nothing\n");
        EXPECT(fs_exists(sample_fd, "i/lib/modules/1.2/updates/third.ko"));
        EXPECT(!fs_exists(sample_fd, "i/lib/modules/1.2/kernel/third.ko"));
        EXPECT(!fs_exists(sample_fd, "i/lib/modules/1.2/kernel/unused.ko"));
        EXPECT(fs_exists(sample_fd, "i/lib/firmware/first/fw.bin"));
        EXPECT(!fs_exists(sample_fd, "i/etc/os-release"));
}

static void the_same_inputs_give_the_same_bits(void) {
        struct sample again;
        EXPECT_OK(sample_judge("sleep 1.1", NULL, err));
        EXPECT_OK(write_kind(&again, "again", "initrd", err));
        EXPECT_OK(sample_judge("cmp out/alpha/initrd.img again/alpha/initrd.img", NULL, err));
        sample_close(&again);
}

// Without its modules the root cannot give the archive again: only the cache can answer.
static void a_known_initrd_is_not_put_together_again(void) {
        struct sample again;
        EXPECT_OK(sample_judge("mv root/lib/modules hidden", NULL, err));
        EXPECT_OK(write_kind(&again, "known", "initrd", err));
        EXPECT_OK(
            sample_judge("mv hidden root/lib/modules; cmp out/alpha/initrd.img known/alpha/initrd.img", NULL, err));
        sample_close(&again);
}

static void compressed_modules_are_unpacked(void) {
        struct modules modules;
        const char *names[] = { "second-mod" };
        struct strings wanted = { names, 1 };
        auto_close int root = sample_dir("root");
        EXPECT_OK(sample_judge("xz --check=crc32 root/lib/modules/1.2/kernel/drivers/second-mod.ko", NULL, err));
        EXPECT_OK(modules_index(root, "1.2", &modules, err));
        EXPECT_OK(modules_want(&modules, &wanted, err));
        EXPECT(modules.count == 4);
        EXPECT_TEXT(modules.items[1].path, "kernel/drivers/second-mod.ko");
        EXPECT(modules.items[1].wanted && memcmp(modules.items[1].content.data, ELFMAG, SELFMAG) == 0);
        modules_release(&modules);
}

static void a_missing_dependency_is_an_error(void) {
        struct err error = { 0 };
        struct modules modules;
        const char *names[] = { "lost" };
        struct strings wanted = { names, 1 };
        auto_close int root = sample_dir("root");
        SAMPLE_MODULE("root/lib/modules/1.2/kernel/lost.ko", "depends=nowhere\0license=GPL");
        EXPECT_OK(modules_index(root, "1.2", &modules, err));
        EXPECT(!modules_want(&modules, &wanted, &error));
        EXPECT(error.kind == ERR_REFERENCE && strstr(error.text, "nowhere") != NULL);
        err_release(&error);
        modules_release(&modules);
        EXPECT(!modules_index(root, "9.9", &modules, &error));
        EXPECT(error.kind == ERR_REFERENCE);
        err_release(&error);
        modules_release(&modules);
}

static void ignore_string(const char *key, size_t key_size, const char *value, void *context) {
        (void)key;
        (void)key_size;
        (void)value;
        ++*(int *)context;
}

// Every truncation and every single wrong byte of a module is either read or refused, and never read beyond.
static void damaged_modules_are_refused(void) {
        auto_buf whole = { 0 };
        int strings = 0, refused = 0;
        EXPECT_OK(fs_read(sample_fd, "root/lib/modules/1.2/kernel/lost.ko", &whole, err));
        for (size_t i = 0; i < whole.size; i++) {
                struct err error = { 0 };
                auto_free char *cut = xmalloc(i + 1);
                memcpy(cut, whole.data, i);
                struct buf part = { .data = cut, .size = i };
                refused += !modinfo_each(&part, ignore_string, &strings, &error);
                err_release(&error);
                auto_free char *changed = xmalloc(whole.size);
                memcpy(changed, whole.data, whole.size);
                changed[i] = (char)(changed[i] ^ 0xff);
                struct buf wrong = { .data = changed, .size = whole.size };
                refused += !modinfo_each(&wrong, ignore_string, &strings, &error);
                err_release(&error);
        }
        EXPECT(refused > 300 && strings > 100);
}

static void a_dynamic_busybox_is_refused(void) {
        struct err error = { 0 };
        struct artefact_build build = sample.build;
        build.busybox = "/bin/true";
        EXPECT(!initrd_kind.check(&build, &error));
        EXPECT(error.kind == ERR_TOOL && error.hint != NULL);
        err_release(&error);
}

static void a_wrong_line_of_the_list_is_named(void) {
        struct err error = { 0 };
        struct artefact_build build = sample.build;
        auto_free char *dir = xasprintf("%s/parts", sample_top);
        build.initramfs_dir = dir;
        sample_text("parts/parts", "# fine\ndir /bin 0755\nfile /../x init 0755\n");
        EXPECT(!initrd_kind.write(&build, &sample.roles[0], &error));
        EXPECT(error.kind == ERR_SYNTAX && strstr(error.text, "parts:3:") != NULL);
        err_release(&error);
}

// As busybox's cpio leaves them when it unpacks the layer: directories are younger than what lies in them.
static void the_boot_keeps_what_is_up_to_date(void) {
        auto_free char *path = realpath("firmware/initramfs/init", NULL);
        auto_free char *script = xasprintf(
            "mkdir -p upper/usr upper/etc; touch -d @1450051200 upper/etc/.updated upper/var; "
            "sed -n '/^settle_update_stamps()/,/^}/p' '%s' >function; grep -q '^settle_update_stamps()' function; "
            "writable=. busybox sh -e -c '. ./function; settle_update_stamps'; "
            "test ! upper/usr -nt upper/etc/.updated; test ! -e upper/var/.updated",
            path);
        EXPECT_OK(sample_judge(script, NULL, err));
}

int main(void) {
        become_root();
        sample_begin();
        RUN(the_parts_are_there);
        RUN(every_parent_comes_before_its_children);
        RUN(modules_come_with_what_they_need);
        RUN(the_same_inputs_give_the_same_bits);
        RUN(a_known_initrd_is_not_put_together_again);
        RUN(compressed_modules_are_unpacked);
        RUN(a_missing_dependency_is_an_error);
        RUN(damaged_modules_are_refused);
        RUN(a_dynamic_busybox_is_refused);
        RUN(the_boot_keeps_what_is_up_to_date);
        RUN(a_wrong_line_of_the_list_is_named);
        sample_close(&sample);
        return sample_end();
}
