// SPDX-License-Identifier: MIT
// Trees of the cache that were changed, or went through a copy that lost something.
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "cache/maker.h"
#include "cache/seal.h"
#include "rootfs/tree.h"

static char top[] = "/tmp/kiln-seal-XXXXXX";
static unsigned made;

static bool set_capability(const char *path) {
        struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2, .data[0].permitted = 1 << CAP_NET_RAW };
        return setxattr(path, "security.capability", &data, sizeof data, 0) == 0;
}

// Leaves the working directory inside of a sealed entry.
static int make_entry(void) {
        auto_free char *path = xasprintf("%s/%u", top, ++made);
        int dir = -1;
        EXPECT_OK(fs_mkdirs(AT_FDCWD, path, 0755, err));
        EXPECT_OK(fs_open_dir(AT_FDCWD, path, &dir, err));
        EXPECT(fchdir(dir) == 0);
        EXPECT_OK(fs_mkdirs(dir, "root/usr/bin", 0755, err));
        EXPECT_OK(fs_mkdirs(dir, "root/var/empty", 0700, err));
        EXPECT_OK(fs_write(dir, "root/usr/bin/ping", "ping", 4, 0755, err));
        EXPECT_OK(fs_write(dir, "root/usr/bin/su", "su", 2, 04755, err));
        EXPECT_OK(fs_write(dir, "root/var/mail", "mail", 4, 0640, err));
        EXPECT(set_capability("root/usr/bin/ping") && chown("root/var/mail", 1, 8) == 0);
        EXPECT(link("root/var/mail", "root/var/post") == 0 && symlink("mail", "root/var/link") == 0);
        EXPECT(mknod("root/var/gone", S_IFCHR, 0) == 0);
        EXPECT_OK(tree_settle(dir, 1447000000, err));
        EXPECT_OK(seal_make(dir, err));
        return dir;
}

static void expect_difference(int dir, bool thorough, const char *wanted) {
        auto_free char *difference = NULL;
        EXPECT_OK(seal_check(dir, thorough, &difference, err));
        EXPECT_TEXT(difference ? difference : "none", wanted);
}

static void what_is_whole_passes(void) {
        auto_close int dir = make_entry();
        expect_difference(dir, false, "none");
        expect_difference(dir, true, "none");
        EXPECT(fs_exists(dir, "seal") && fs_exists(dir, "place"));
}

static bool write_to(void) {
        auto_close int file = open("root/usr/bin/ping", O_WRONLY | O_CLOEXEC);
        return pwrite(file, "p", 1, 0) == 1;
}
static bool lose_setuid(void) { return chmod("root/usr/bin/su", 0755) == 0; }
static bool lose_owner(void) { return chown("root/var/mail", 0, 0) == 0; }
static bool lose_group(void) { return chown("root/var/mail", 1, 0) == 0; }
static bool lose_capability(void) { return removexattr("root/usr/bin/ping", "security.capability") == 0; }
static bool gain_attribute(void) { return setxattr("root/usr", "user.overlay.opaque", "y", 1, 0) == 0; }
static bool lose_whiteout(void) { return unlink("root/var/gone") == 0; }
static bool turn_whiteout_into_file(void) {
        return unlink("root/var/gone") == 0 && close(open("root/var/gone", O_CREAT | O_WRONLY | O_CLOEXEC, 0)) == 0;
}
static bool lose_directory(void) { return rmdir("root/var/empty") == 0; }
static bool change_target(void) {
        struct timespec times[2] = { { .tv_sec = 1447000000 }, { .tv_sec = 1447000000 } };
        return unlink("root/var/link") == 0 && symlink("post", "root/var/link") == 0 &&
               utimensat(AT_FDCWD, "root/var/link", times, AT_SYMLINK_NOFOLLOW) == 0;
}
static bool break_link(void) {
        auto_err err = { 0 };
        return run_command(&err, "cp", "-p", "root/var/mail", "root/var/copy", NULL) &&
               rename("root/var/copy", "root/var/post") == 0;
}
static bool add_file(void) { return mknod("root/zzz", S_IFIFO | 0600, 0) == 0; }
static bool empty_seal(void) { return truncate("seal", 0) == 0; }
static bool cut_seal(void) { return truncate("seal", 100) == 0; }
static bool remove_seal(void) { return unlink("seal") == 0; }
static bool remove_digests(void) { return unlink("digests") == 0; }

static void settle_all(int dir) { EXPECT_OK(tree_settle(dir, 1447000000, err)); }

static void every_damage_is_named(void) {
        static const struct {
                const char *name;
                bool (*damage)(void);
                const char *path;
        } cases[] = {
                { "mode", lose_setuid, "root/usr/bin/su" },
                { "owner", lose_owner, "root/var/mail" },
                { "group", lose_group, "root/var/mail" },
                { "capability", lose_capability, "root/usr/bin/ping" },
                { "attribute", gain_attribute, "root/usr" },
                { "whiteout", lose_whiteout, "root/var/gone" },
                { "whiteout as a file", turn_whiteout_into_file, "root/var/gone" },
                { "directory", lose_directory, "root/var/empty" },
                { "target", change_target, "root/var/link" },
                { "hard link", break_link, "root/var/post" },
                { "file more", add_file, "root/zzz" },
                { "empty seal", empty_seal, "root" },
                { "cut seal", cut_seal, "seal" },
                { "no seal", remove_seal, "root" },
                { "no digests", remove_digests, "root/usr/bin/ping" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_close int dir = make_entry();
                EXPECT(cases[i].damage());
                settle_all(dir); // the times alone do not tell
                printf("# %s\n", cases[i].name);
                expect_difference(dir, true, cases[i].path);
        }
        auto_close int dir = make_entry();
        EXPECT(write_to());
        expect_difference(dir, true, "root/usr/bin/ping");
}

// As a bad disk does it: neither size nor time tells.
static void a_flipped_byte_is_named(void) {
        auto_close int dir = make_entry();
        struct stat before, after;
        auto_close int file = open("root/usr/bin/ping", O_WRONLY | O_CLOEXEC);
        EXPECT(file >= 0 && fstat(file, &before) == 0 && pwrite(file, "P", 1, 0) == 1);
        EXPECT(set_capability("root/usr/bin/ping")); // a write takes it away
        const struct timespec times[2] = { before.st_atim, before.st_mtim };
        EXPECT(futimens(file, times) == 0 && fstat(file, &after) == 0 && after.st_size == before.st_size &&
               after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
        expect_difference(dir, false, "none");
        expect_difference(dir, true, "root/usr/bin/ping");
}

static void what_was_not_moved_is_not_looked_through(void) {
        auto_close int dir = make_entry();
        EXPECT(lose_capability());
        expect_difference(dir, false, "none");
        expect_difference(dir, true, "root/usr/bin/ping");
}

static int copy_entry(const char *how) {
        auto_free char *from = xasprintf("%s/%u", top, made);
        auto_free char *to = xasprintf("%s/%u-%s", top, made, how);
        int dir = -1;
        EXPECT_OK(run_command(err, "cp", "-r", how, from, to, NULL));
        EXPECT_OK(fs_open_dir(AT_FDCWD, to, &dir, err));
        return dir;
}

static void a_copy_is_looked_through_once(void) {
        close(make_entry());
        auto_close int good = copy_entry("--preserve=all");
        auto_close int plain = copy_entry("--preserve=timestamps");
        expect_difference(good, false, "none");
        expect_difference(plain, false, "root/usr/bin/ping");
        EXPECT(fchdir(good) == 0 && lose_capability());
        expect_difference(good, false, "none"); // its place was noted
        expect_difference(good, true, "root/usr/bin/ping");
}

// Labels of the host, overlayfs' bookkeeping and a backup's hard links are none of the image's.
static void what_the_host_adds_does_not_count(void) {
        auto_close int dir = make_entry();
        EXPECT(setxattr("root/usr", "trusted.overlay.origin", "x", 1, 0) == 0);
        EXPECT(link("root/usr/bin/su", "../backup") == 0);
        expect_difference(dir, true, "none");
        EXPECT(unlink("../backup") == 0);
}

static void the_maker_is_code_and_libraries(void) {
        static const char *const one[] = { "libsqlite3.so", NULL }, *const other[] = { "librpm.so", NULL },
                                 *const none[] = { "libnothing.so", NULL };
        struct maker makers[] = { { "code", one }, { "other code", one }, { "code", other }, { "code", none } };
        char hex[lengthof(makers)][DIGEST_HEX_SIZE], again[DIGEST_HEX_SIZE];
        for (size_t i = 0; i < lengthof(makers); i++) {
                EXPECT_OK(maker_digest(&makers[i], hex[i], err));
                for (size_t j = 0; j < i; j++)
                        EXPECT(strcmp(hex[i], hex[j]) != 0);
        }
        EXPECT_OK(maker_digest(&makers[0], again, err));
        EXPECT_TEXT(again, hex[0]);
        EXPECT(strlen(layer_maker.code) == 64 && strlen(artefact_maker.code) == 64 &&
               strcmp(layer_maker.code, artefact_maker.code) != 0);
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(top)) {
                printf("Bail out! %s\n", strerror(errno));
                return 1;
        }
        if (geteuid() != 0) {
                printf("1..0 # skip needs root: owners, device nodes and capabilities\n");
                return 0;
        }
        RUN(what_is_whole_passes);
        RUN(every_damage_is_named);
        RUN(a_flipped_byte_is_named);
        RUN(what_was_not_moved_is_not_looked_through);
        RUN(a_copy_is_looked_through_once);
        RUN(what_the_host_adds_does_not_count);
        RUN(the_maker_is_code_and_libraries);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, top, &err);
        return failed;
}
