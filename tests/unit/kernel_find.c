// SPDX-License-Identifier: MIT
#include "build/kernel_find.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "tests/unit/test.h"

static char place[] = "/tmp/kiln-kernel-find-XXXXXX";
static int root = -1;

static void put(const char *path) {
        EXPECT_OK(fs_mkdirs_for(root, path, 0755, err));
        EXPECT_OK(fs_write_atomic(root, path, "k", 1, 0644, err));
}

static void find(const char *pattern, const char *want_path, const char *want_version) {
        struct arena arena = { 0 };
        const char *path = NULL, *version = NULL;
        EXPECT_OK(kernel_find(root, pattern, &arena, &path, &version, err));
        if (want_path) {
                EXPECT_TEXT(path, want_path);
                EXPECT_TEXT(version, want_version);
        } else {
                EXPECT(!path);
        }
        arena_release(&arena);
}

static void in_boot(void) {
        find("/boot/vmlinuz-*", NULL, NULL);
        put("boot/vmlinuz-3.10.0-327.9.1.el7.x86_64");
        put("boot/vmlinuz-3.10.0-327.10.1.el7.x86_64");
        put("boot/vmlinuz-0-rescue-0123");
        put("boot/deeper/vmlinuz-9");
        put("boot/.vmlinuz-9.hmac");
        find("/boot/vmlinuz-*", "boot/vmlinuz-3.10.0-327.10.1.el7.x86_64", "3.10.0-327.10.1.el7.x86_64");
        find("boot/vmlinuz-*.el7.x86_64", "boot/vmlinuz-3.10.0-327.10.1.el7.x86_64", "3.10.0-327.10.1");
        find("/boot/vmlinuz", NULL, NULL);
}

static void beside_its_modules(void) {
        find("/lib/modules/*/vmlinuz", NULL, NULL);
        put("usr/lib/modules/4.18.0-80.el8.x86_64/vmlinuz");
        put("usr/lib/modules/4.18.0-80.el8.x86_64/kernel/vmlinuz");
        put("usr/lib/modules/vmlinuz");
        find("/lib/modules/*/vmlinuz", NULL, NULL);
        EXPECT(symlinkat("/usr/lib", root, "lib") == 0);
        find("/lib/modules/*/vmlinuz", "lib/modules/4.18.0-80.el8.x86_64/vmlinuz", "4.18.0-80.el8.x86_64");
}

static void links_stay_inside(void) {
        EXPECT(symlinkat("../../../../../../../proc", root, "out") == 0);
        find("/out/vers*", NULL, NULL);
}

int main(void) {
        if (!mkdtemp(place) || (root = open(place, O_RDONLY | O_DIRECTORY)) < 0)
                return 1;
        RUN(in_boot);
        RUN(beside_its_modules);
        RUN(links_stay_inside);
        EXPECT_OK(fs_remove_tree(AT_FDCWD, place, err));
        close(root);
        return test_done();
}
