// SPDX-License-Identifier: MIT
// What EL7's and fpm's packages ask of an installation, with tiny packages of the same kinds. Judged by Debian's rpm -V
// and by looking.
#include "base/buf.h"
#include "configure/internal.h"
#include "packages/packages.h"
#include "rootfs/normalise.h"
#include "rootfs/rootfs.h"
#include "rootfs/transaction.h"
#include "sandbox/overlay.h"
#include "sandbox/sandbox.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/fs.h"
#include "base/run.h"
#include "base/stand_in.h"

enum { EPOCH = 1447000000 };

static char work_path[] = "/tmp/kiln-el7-XXXXXX";
static int work = -1, root = -1;
static int64_t started;

#define HEAD(name)                                                                                                     \
        "%global __spec_install_post %{nil}\n%global debug_package %{nil}\n%global _build_id_links none\n"             \
        "Name: " name "\nVersion: 1\nRelease: 1\nSummary: s\nLicense: x\nBuildArch: x86_64\nAutoReqProv: no\n"
#define PACKAGE(name, more) "%package -n " name "\nSummary: s\nAutoReqProv: no\n" more "%description -n " name "\n"
#define TOUCH "find $R -type f -exec touch -d @1400000000 {} +\n"

// Unpacked after setup, which it requires; everybody needs what its %pretrans makes.
static const char filesystem_spec[] = HEAD(
    "filesystem") "Requires(pre): setup\n%description\n"
                  "%install\nR=%{buildroot}\nmkdir -p $R/usr/bin $R/usr/sbin $R/usr/lib $R/usr/lib64 $R/etc $R/boot "
                  "$R/proc $R/sys $R/dev $R/run $R/tmp $R/root $R/var/tmp $R/var/lib $R/var/log\n"
                  "for n in bin sbin lib lib64; do ln -s usr/$n $R/$n; done\nln -s ../run $R/var/run\n"
                  "%files\n/bin\n/sbin\n/lib\n/lib64\n%dir %attr(0555,root,root) /usr\n%dir /etc\n"
                  "%dir %attr(0555,root,root) /usr/bin\n%dir %attr(0555,root,root) /usr/sbin\n"
                  "%dir %attr(0555,root,root) /usr/lib\n%dir %attr(0555,root,root) /usr/lib64\n"
                  "%dir %attr(0555,root,root) /boot\n%dir %attr(0555,root,root) /proc\n"
                  "%dir %attr(0555,root,root) /sys\n%dir /dev\n%dir /run\n%dir %attr(1777,root,root) /tmp\n"
                  "%dir %attr(0550,root,root) /root\n%dir /var\n%dir %attr(1777,root,root) /var/tmp\n%dir /var/lib\n"
                  "%dir /var/log\n%ghost %attr(0755,root,root) /var/run\n"
                  "%pretrans -p <lua>\nposix.mkdir('/usr')\n"
                  "for i, n in ipairs({'bin', 'sbin', 'lib', 'lib64'}) do\n"
                  "  posix.mkdir('/usr/' .. n)\n  posix.symlink('usr/' .. n, '/' .. n)\nend\n";

static const char main_spec[] =
    HEAD("setup") "%description\n" PACKAGE("bash", "Requires: filesystem\n") PACKAGE("tools", "Requires(post): bash\n")
        PACKAGE("kernel", "Requires(post): tools\n") PACKAGE("service", "Requires(post): tools\n") PACKAGE("modes", "")
            PACKAGE("nodes", "") PACKAGE("far-node", "") PACKAGE("pipe", "")
    // -- what lies where
    "%install\nR=%{buildroot}\nmkdir -p $R/etc $R/lib64 $R/sbin $R/bin $R/usr/sbin $R/usr/bin $R/boot "
    "$R/usr/share/locale/de "
    "$R/usr/share/locale/en_US $R/usr/share/doc/modes $R/lib/modules/3.10/kernel $R/var/lib/modes/sealed\n"
    "printf 'root:x:0:0:root:/root:/bin/sh\\nmodes:x:77:77::/:/bin/sh\\n' >$R/etc/passwd\n"
    "printf 'root:x:0:\\nmodes:x:77:\\n' >$R/etc/group\nprintf 'root:*:16000:0:99999:7:::\\n' >$R/etc/shadow\n"
    "echo setup >$R/lib64/libsetup.so.1\ncp /usr/bin/busybox $R/bin/sh\n"
    "for n in cat mkdir ln head wc sleep touch; do ln -s sh $R/bin/$n; done\n"
    "printf '#!/bin/sh\\necho new-kernel-pkg ran\\nexit 1\\n' >$R/sbin/new-kernel-pkg\n"
    "printf '#!/bin/sh\\nsleep 600\\n' >$R/usr/sbin/dracut\n"
    "printf '#!/bin/sh\\necho \"$@\" >/lib/modules/$2/modules.dep\\n' >$R/sbin/depmod\n"
    "printf '#!/bin/sh\\n[ \"$1\" = enable ] || exit 1\\nmkdir -p /etc/systemd/system/multi-user.target.wants\\n"
    "ln -s /usr/lib/systemd/system/$2.service /etc/systemd/system/multi-user.target.wants/$2.service\\n' "
    ">$R/usr/bin/systemctl\n"
    "chmod 755 $R/sbin/* $R/usr/sbin/* $R/usr/bin/*\n"
    "echo k >$R/boot/vmlinuz-3.10\necho m >$R/lib/modules/3.10/kernel/x.ko\n"
    "echo service >$R/etc/service.conf\n"
    "cd $R/var/lib/modes\nfor n in setuid none caps z-one; do echo $n >$n; done\nln z-one m-two\nln z-one a-three\n"
    "echo inside >sealed/file\nmkdir shared\ntouch ghost\nmkfifo fifo\n"
    "echo de >$R/usr/share/locale/de/x.mo\necho en >$R/usr/share/locale/en_US/x.mo\necho doc "
    ">$R/usr/share/doc/modes/README\n" TOUCH
    "touch -d @1600000000 $R/var/lib/modes/setuid\n" // later than the image's own date
    // -- files
    "%files\n%config(noreplace) /etc/passwd\n%config(noreplace) /etc/group\n%config(noreplace) %attr(0000,root,root) "
    "/etc/shadow\n/lib64/libsetup.so.1\n"
    "%files -n bash\n/bin/*\n%files -n "
    "tools\n/sbin/new-kernel-pkg\n/usr/sbin/dracut\n/sbin/depmod\n/usr/bin/systemctl\n"
    "%files -n kernel\n/boot/vmlinuz-3.10\n%dir /lib/modules/3.10\n/lib/modules/3.10/kernel\n%ghost "
    "%attr(0600,root,root) /boot/initramfs-3.10.img\n"
    "%files -n service\n%config /etc/service.conf\n"
    "%files -n modes\n%dir /var/lib/modes\n%attr(6755,modes,modes) /var/lib/modes/setuid\n%attr(0000,root,root) "
    "/var/lib/modes/none\n%caps(cap_net_admin,cap_net_raw=p) /var/lib/modes/caps\n/var/lib/modes/z-one\n"
    "/var/lib/modes/m-two\n/var/lib/modes/a-three\n%dir %attr(0555,root,root) /var/lib/modes/sealed\n"
    "/var/lib/modes/sealed/file\n%dir %attr(3775,root,modes) /var/lib/modes/shared\n%ghost /var/lib/modes/ghost\n"
    "%lang(de) /usr/share/locale/de/x.mo\n%lang(en_US) /usr/share/locale/en_US/x.mo\n%doc "
    "/usr/share/doc/modes\n"
    "%files -n nodes\n%dev(c,1,3) %attr(0666,root,root) /dev/kiln-null\n"
    "%files -n far-node\n%dev(c,1,3) %attr(0666,root,root) /var/lib/chroot/null\n"
    "%files -n pipe\n/var/lib/modes/fifo\n"
    // -- scriptlets
    "%post -p <lua>\nfor line in io.lines('/etc/passwd') do end\n"
    "%post -n kernel\n/sbin/new-kernel-pkg --package kernel --install 3.10 || exit $?\n"
    "%posttrans -n kernel\n/sbin/new-kernel-pkg --package kernel --mkinitrd --dracut --depmod --update 3.10 || exit "
    "$?\n"
    "[ -x /usr/sbin/dracut ] || exit 3\n/usr/sbin/dracut -f /boot/initramfs-3.10.img 3.10 || exit $?\n"
    "%post -n service\nset -e\ncat /proc/self/status >/dev/null\n"
    "[ $(head -c 16 /dev/urandom | wc -c) = 16 ]\nsystemctl enable zookeeper >/dev/null 2>&1\n"
    "echo 0123456789abcdef0123456789abcdef >/etc/machine-id\n"
    "ln -s /usr/lib/systemd/system/graphical.target /etc/systemd/system/default.target\n";

// fpm's: MD5 file digests, gzip, no directories.
static const char fpm_spec[] =
    "%global _source_filedigest_algorithm 1\n%global _binary_filedigest_algorithm 1\n"
    "%global _binary_payload w9.gzdio\n" HEAD(
        "fpm") "%description\n"
               "%install\nR=%{buildroot}\nmkdir -p $R/opt/fpm/deep\necho leaf >$R/opt/fpm/deep/leaf\n" TOUCH
               "%files\n%attr(0640,root,root) /opt/fpm/deep/leaf\n";

static uint32_t big_endian(const unsigned char *bytes) {
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

// Gives the tags of digests that rpm before 4.14 did not write, and of those that this change invalidates, numbers that
// mean nothing. Returns the size of the header at `bytes`.
static size_t forget_digests(unsigned char *bytes) {
        static const uint32_t digests[] = { 269, 273, 1004, 5092, 5093, 5097 };
        uint32_t entries = big_endian(bytes + 8);
        for (uint32_t i = 0; i < entries; i++)
                for (size_t j = 0; j < lengthof(digests); j++)
                        if (big_endian(bytes + 16 + 16 * (size_t)i) == digests[j])
                                bytes[16 + 16 * (size_t)i + 1] = 0x70;
        return 16 + 16 * (size_t)entries + big_endian(bytes + 12);
}

static bool make_old(const char *path, struct err *err) {
        enum { LEAD_BYTES = 96 };
        auto_buf package = { 0 };
        if (!fs_read(work, path, &package, err))
                return false;
        unsigned char *bytes = (unsigned char *)package.data;
        size_t signature = forget_digests(bytes + LEAD_BYTES);
        (void)forget_digests(bytes + LEAD_BYTES + (signature + 7) / 8 * 8);
        return fs_write_atomic(work, path, package.data, package.size, 0644, err);
}

static bool build(const char *name, const char *spec, struct err *err) {
        auto_free char *top = xasprintf("_topdir %s/%s", work_path, name);
        auto_free char *rpms = xasprintf("_rpmdir %s/rpms", work_path);
        auto_free char *file = xasprintf("%s.spec", name);
        auto_free char *path = xasprintf("%s/%s", work_path, file);
        return fs_write_atomic(work, file, spec, strlen(spec), 0644, err) &&
               run_command(err, "rpmbuild", "-bb", "--quiet", "--define", top, "--define", rpms, "--define",
                           "_dbpath /tmp/none", path, NULL);
}

static bool install(const char *directory, const char *const *names, struct err *err) {
        struct package packages[16];
        const struct package *pointers[16];
        size_t count = 0;
        auto_close int tree = -1, target = -1;
        for (; names[count]; count++) {
                packages[count] = (struct package){ .name = names[count] };
                packages[count].path = xasprintf("%s/rpms/x86_64/%s-1-1.x86_64.rpm", work_path, names[count]);
                packages[count].nevra = xasprintf("%s-1-1.x86_64", names[count]);
                pointers[count] = &packages[count];
        }
        static const char *const points[] = { "proc", "sys", "dev", "run" };
        if (!fs_mkdirs(work, directory, 0755, err) || !fs_open_dir(work, directory, &tree, err))
                return false;
        for (size_t i = 0; i < lengthof(points); i++)
                if (!fs_mkdirs(tree, points[i], i < 2 ? 0555 : 0755, err))
                        return false;
        if (!overlay_bind(tree, false, &target, err))
                return false;
        struct transaction transaction = { .root = target,
                                           .packages = pointers,
                                           .package_count = count,
                                           .rpmdb = "sqlite",
                                           .source_date_epoch = EPOCH };
        return transaction_run(&transaction, err);
}

static char *text_of(const char *path) {
        auto_err err = { 0 };
        struct buf text = { 0 };
        if (fs_read(root, path, &text, &err))
                return text.data ? text.data : xstrdup("");
        buf_release(&text);
        return xstrdup("(absent)");
}

static void expect_text(const char *path, const char *wanted) {
        auto_free char *text = text_of(path);
        EXPECT_TEXT(text, wanted);
}

static void expect_mode(const char *path, unsigned mode, unsigned owner) {
        struct stat stat = { 0 };
        EXPECT(fstatat(root, path, &stat, AT_SYMLINK_NOFOLLOW) == 0);
        if ((stat.st_mode & 07777) != mode || stat.st_uid != owner) {
                test_bad++;
                printf("# %s: mode %o, owner %u\n", path, stat.st_mode & 07777, stat.st_uid);
        }
}

static void pretrans_runs_before_everything(void) {
        struct stat stat;
        expect_text("usr/lib64/libsetup.so.1", "setup\n");
        EXPECT(fstatat(root, "lib64", &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(stat.st_mode));
        EXPECT(fstatat(root, "sbin", &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(stat.st_mode));
        expect_mode("usr/bin", 0555, 0);
        expect_mode("usr", 0555, 0);
        EXPECT(fstatat(root, "usr/sbin/depmod", &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode));
}

static void modes_and_links_are_kept(void) {
        struct stat one, three;
        char value[64], path[256];
        expect_mode("etc/shadow", 0000, 0);
        expect_mode("var/lib/modes/none", 0000, 0);
        expect_mode("var/lib/modes/setuid", 06755, 77);
        expect_mode("var/lib/modes/sealed", 0555, 0);
        expect_mode("var/lib/modes/shared", 03775, 0);
        expect_mode("root", 0550, 0);
        expect_mode("tmp", 01777, 0);
        expect_text("var/lib/modes/sealed/file", "inside\n");
        expect_text("var/lib/modes/a-three", "z-one\n");
        EXPECT(fstatat(root, "var/lib/modes/z-one", &one, 0) == 0 && one.st_nlink == 3);
        EXPECT(fstatat(root, "var/lib/modes/a-three", &three, 0) == 0 && three.st_ino == one.st_ino);
        EXPECT(!fs_exists(root, "var/lib/modes/ghost") && !fs_exists(root, "var/run"));
        snprintf(path, sizeof path, "%s/root/var/lib/modes/caps", work_path);
        EXPECT(getxattr(path, "security.capability", value, sizeof value) == 20 && value[3] == 2);
}

static void languages_and_documents_are_kept(void) {
        expect_text("usr/share/locale/en_US/x.mo", "en\n");
        expect_text("usr/share/locale/de/x.mo", "de\n");
        expect_text("usr/share/doc/modes/README", "doc\n");
}

static void fpm_packages_are_taken(void) {
        expect_text("opt/fpm/deep/leaf", "leaf\n");
        expect_mode("opt", 0755, 0);
        expect_mode("opt/fpm", 0755, 0);
        expect_mode("opt/fpm/deep", 0755, 0);
}

static void kernels_make_no_initramfs(void) {
        EXPECT(!fs_exists(root, "boot/initramfs-3.10.img"));
        expect_text("usr/lib/modules/3.10/modules.dep", "-a 3.10\n");
        expect_text("usr/sbin/dracut", "#!/bin/sh\nsleep 600\n");
        expect_text("usr/sbin/new-kernel-pkg", "#!/bin/sh\necho new-kernel-pkg ran\nexit 1\n");
        EXPECT(!fs_exists(root, "usr/sbin/dracut.kiln-aside") &&
               !fs_exists(root, "usr/sbin/new-kernel-pkg.kiln-aside"));
}

static void scriptlets_have_what_they_want(void) {
        struct stat stat;
        EXPECT(fstatat(root, "etc/systemd/system/multi-user.target.wants/zookeeper.service", &stat,
                       AT_SYMLINK_NOFOLLOW) == 0);
        expect_text("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
}

static void verify_finds_nothing(void) {
        auto_free char *path = xasprintf("%s/root", work_path);
        auto_buf output = { 0 };
        int status = 0;
        const char *const argv[] = { "rpm", "--root", path, "--dbpath", "/var/lib/rpm", "-Va", NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output, .ret_status = &status }, err));
        EXPECT_TEXT(buf_text(&output), "");
        EXPECT(status == 0);
}

static void normalising_keeps_it_sealed(void) {
        EXPECT_OK(normalise_tree(root, started, EPOCH, err));
        expect_text("etc/machine-id", "");
        expect_mode("etc/machine-id", 0444, 0);
        expect_mode("var/lib/modes/sealed", 0555, 0);
        expect_mode("var/lib/modes/setuid", 06755, 77);
        EXPECT(!fs_exists(root, "dev/kiln-null"));
        struct stat stat;
        EXPECT(fstatat(root, "etc/systemd", &stat, 0) == 0 && stat.st_mtime == EPOCH);
        verify_finds_nothing();
}

static void expect_stand_in(const char *directory, const char *name, mode_t mode, dev_t device) {
        struct stat stat = { 0 };
        auto_close int parent = -1;
        auto_free char *path = xasprintf("special/%s", directory);
        EXPECT_OK(fs_open_dir(work, path, &parent, err));
        EXPECT(fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode));
        EXPECT(stat.st_mtim.tv_nsec == 0); // the package's time, so that no rule takes it for a scriptlet's
        EXPECT_OK(stand_in_resolve(parent, name, &stat, err));
        EXPECT(stat.st_mode == mode && stat.st_rdev == device);
}

// No process of the sandbox may make the former, and librpm would wait for ever at the latter.
static void special_files_are_stood_in_for(void) {
        const char *const names[] = { "setup", "filesystem", "far-node", "pipe", NULL };
        EXPECT_OK(install("special", names, err));
        expect_stand_in("var/lib/chroot", "null", S_IFCHR | 0666, makedev(1, 3));
        expect_stand_in("var/lib/modes", "fifo", S_IFIFO | 0644, 0);
}

int main(int argc, char **argv) {
        transaction_init_main(argc, argv);
        static const char *const all[] = { "setup",   "filesystem", "bash", "tools", "kernel",
                                           "service", "modes",      "fpm",  "nodes", NULL };
        auto_err err = { 0 };
        if (!mkdtemp(work_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, work_path, &work, &err) ||
            !build("filesystem", filesystem_spec, &err) || !build("main", main_spec, &err) ||
            !build("fpm", fpm_spec, &err) || !make_old("rpms/x86_64/fpm-1-1.x86_64.rpm", &err)) {
                printf("Bail out! %s\n", err.text ? err.text : strerror(errno));
                return 1;
        }
        started = time(NULL) - 1;
        if (!install("root", all, &err) || !fs_open_dir(work, "root", &root, &err)) {
                printf("Bail out! %s\n", err.text);
                return 1;
        }
        EXPECT(time(NULL) - started < 300);
        RUN(pretrans_runs_before_everything);
        RUN(modes_and_links_are_kept);
        RUN(languages_and_documents_are_kept);
        RUN(fpm_packages_are_taken);
        RUN(special_files_are_stood_in_for);
        RUN(kernels_make_no_initramfs);
        RUN(scriptlets_have_what_they_want);
        RUN(verify_finds_nothing);
        RUN(normalising_keeps_it_sealed);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
