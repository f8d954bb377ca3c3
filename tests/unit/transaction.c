// SPDX-License-Identifier: MIT
// librpm in the container, with packages that rpmbuild makes on the spot around a static busybox.
#include "rootfs/transaction.h"
#include "base/buf.h"
#include "configure/internal.h"
#include "packages/packages.h"
#include "rootfs/normalise.h"
#include "rootfs/rootfs.h"
#include "sandbox/overlay.h"
#include "sandbox/sandbox.h"
#include "sandbox/user_namespace.h"
#include "tests/unit/said.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/run.h"

enum { EPOCH = 1447000000 };

static char work_path[] = "/tmp/kiln-transaction-XXXXXX";
static int work_dir = -1;

static const char spec[] =
    "%global __spec_install_post %{nil}\n%global debug_package %{nil}\n%global _build_id_links none\n"
    "Name: filesystem\nVersion: 1\nRelease: 1\nSummary: s\nLicense: x\nBuildArch: x86_64\nAutoReqProv: "
    "no\n%description\n"
    "%package -n busybox\nSummary: s\nAutoReqProv: no\nProvides: /bin/sh\n%description -n busybox\n"
    "%package -n setup\nSummary: s\nAutoReqProv: no\n%description -n setup\n"
    "%package -n app\nSummary: s\nAutoReqProv: no\nRequires(pre): busybox setup\n%description -n app\n"
    "%package -n late\nSummary: s\nAutoReqProv: no\nRequires: app\n%description -n late\n"
    "%package -n badpre\nSummary: s\nAutoReqProv: no\nRequires(pre): busybox\n%description -n badpre\n"
    "%package -n badpost\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n%description -n badpost\n"
    "%package -n badlua\nSummary: s\nAutoReqProv: no\n%description -n badlua\n"
    "%package -n badtrigger\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n%description -n badtrigger\n"
    "%package -n badfiletrigger\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n%description -n badfiletrigger\n"
    "%package -n badtransfiletrigger\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n"
    "%description -n badtransfiletrigger\n"
    "%package -n sysusers\nSummary: s\nAutoReqProv: no\nRequires(pre): setup busybox\nProvides: user(dbus) = "
    "dSBkYnVzIDgxICJNZXNzYWdlIEJ1cyIgLyAtCgAA\n"
    "Provides: user(auto) = dSBhdXRvIC0gIkF1dG8iIC92YXIvbGliL2F1dG8K\nProvides: group(plain) = ZyBwbGFpbiA3NwoA\n"
    "Provides: user(of) = dSBvZiA0MDA6cGxhaW4gLQoA\n%description -n sysusers\n"
    "%package -n badsysusers\nSummary: s\nAutoReqProv: no\nRequires(pre): setup\nProvides: user(ab) = dSBhOmIgNAoA\n"
    "%description -n badsysusers\n"
    "%package -n badposttrans\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n%description -n badposttrans\n"
    "%package -n needy\nSummary: s\nAutoReqProv: no\nRequires: nothing-has-this\n%description -n needy\n"
    "%package -n updates\nSummary: s\nAutoReqProv: no\n%description -n updates\n"
    "%package -n unknown-update\nSummary: s\nAutoReqProv: no\n%description -n unknown-update\n"
    "%package -n failing-update\nSummary: s\nAutoReqProv: no\n%description -n failing-update\n"
    "%package -n owned\nSummary: s\nAutoReqProv: no\n%description -n owned\n"
    "%package -n slow\nSummary: s\nAutoReqProv: no\nRequires(post): busybox\n%description -n slow\n"
    "%install\n"
    "R=%{buildroot}\n"
    "mkdir -p $R/usr/bin $R/usr/sbin $R/etc $R/var/log $R/var/tmp $R/var/lib/rpm $R/var/lib/app $R/root $R/tmp "
    "$R/opt/app $R/proc $R/sys $R/dev $R/run\n"
    "ln -s usr/bin $R/bin\n"
    "cp /usr/bin/busybox $R/usr/bin/busybox\n"
    "for n in sh cat ls mount mkdir id env hostname ps stat chown sleep ip mknod touch; do ln -s busybox "
    "$R/usr/bin/$n; done\n"
    "printf 'root:x:0:0:root:/root:/bin/sh\\n' >$R/etc/passwd\nprintf 'root:x:0:\\n' >$R/etc/group\n"
    "printf 'root:*:16000:0:99999:7:::\\n' >$R/etc/shadow\n"
    "echo one >$R/opt/app/one\nln $R/opt/app/one $R/opt/app/two\nln $R/opt/app/one $R/opt/app/three\n"
    "echo caps >$R/opt/app/caps\necho setuid >$R/opt/app/setuid\necho conf >$R/etc/app.conf\ntouch "
    "$R/var/lib/app/ghost\n"
    "echo owned >$R/opt/app/owned\necho late >$R/opt/app/late\n"
    "for n in a b c d; do echo $n >$R/opt/app/svc-$n; done\n"
    "echo bus >$R/opt/app/bus\necho auto >$R/opt/app/auto\n"
    "U=$R/usr/lib/systemd/system\nmkdir -p $U\nC=ConditionNeedsUpdate\n"
    "printf \"[Unit]\\n$C=/etc\\n[Service]\\nExecStart=-/bin/touch /etc/hwdb.bin\\n\" >$U/systemd-hwdb-update.service\n"
    "printf \"[Unit]\\n$C=/var\\n[Service]\\nExecStart=touch /var/catalogue\\n\" "
    ">$U/systemd-journal-catalog-update.service\n"
    "printf \"[Unit]\\n$C=|/etc\\n$C=|/var\\n[Service]\\nExecStart=/bin/false\\n\" >$U/systemd-update-done.service\n"
    "printf \"[Unit]\\n$C=/etc\\n[Service]\\nExecStart=/bin/touch /etc/never\\n\" >$U/own.service\n"
    "printf \"[Unit]\\n$C=/var\\n[Service]\\nExecStart=/bin/cat /no/such/file\\n\" >$U/ldconfig.service\n"
    "%files -n updates\n/usr/lib/systemd/system/systemd-*\n%files -n unknown-update\n"
    "/usr/lib/systemd/system/own.service\n%files -n failing-update\n/usr/lib/systemd/system/ldconfig.service\n"
    "%files -n owned\n%attr(4755,svc,svc) /opt/app/svc-*\n"
    "%files\n%dir %attr(0555,root,root) /usr\n%dir %attr(0555,root,root) /usr/bin\n/bin\n%dir /etc\n%dir /var\n%dir "
    "/var/log\n"
    "%dir %attr(0555,root,root) /usr/sbin\n"
    "%dir %attr(1777,root,root) /var/tmp\n%dir %attr(1777,root,root) /tmp\n%dir %attr(0550,root,root) /root\n"
    "%dir %attr(0555,root,root) /proc\n%dir %attr(0555,root,root) /sys\n%dir /dev\n%dir /run\n%dir /var/lib\n%dir "
    "/var/lib/rpm\n"
    "%files -n busybox\n/usr/bin/*\n"
    "%files -n setup\n%config(noreplace) /etc/passwd\n%config(noreplace) /etc/group\n%config(noreplace) "
    "%attr(0000,root,root) /etc/shadow\n"
    "%files -n app\n/opt/app/one\n/opt/app/two\n/opt/app/three\n%caps(cap_net_raw=ep) /opt/app/caps\n"
    "%attr(4755,root,root) /opt/app/setuid\n%config(noreplace) /etc/app.conf\n%dir /var/lib/app\n%ghost "
    "/var/lib/app/ghost\n"
    "%attr(0640,app,app) /opt/app/owned\n"
    "%files -n late\n/opt/app/late\n"
    "%files -n badpre\n%files -n badpost\n%files -n badlua\n%files -n badtrigger\n%files -n badfiletrigger\n"
    "%files -n badtransfiletrigger\n%files -n badsysusers\n%files -n sysusers\n"
    "%attr(0640,dbus,plain) /opt/app/bus\n%attr(0600,of,auto) /opt/app/auto\n"
    "%files -n badposttrans\n%files -n "
    "needy\n%files -n slow\n"
    "%pretrans -p <lua>\nposix.mkdir('/usr')\nposix.mkdir('/usr/bin')\nposix.symlink('usr/bin', '/bin')\n"
    "%pre -n app\n"
    "echo 'app:x:480:480::/opt/app:/bin/sh' >>/etc/passwd\necho 'app:x:480:' >>/etc/group\n"
    "%post -n app\n"
    "D=/var/lib/app\necho day >/var/log/app.log\necho cache >/tmp/x\necho run >/run/x\n"
    "echo 'abcd' >/etc/machine-id\necho 'app:!:20000:0:99999:7:::' >>/etc/shadow\n"
    "ls / >$D/ls\nls /proc/1/root/ >$D/init-root\nls /dev >$D/dev\ncat /proc/mounts >$D/mounts\nenv >$D/env\nhostname "
    ">$D/hostname\n"
    "cat /proc/net/dev >$D/net\nps >$D/ps\nls -l /proc/1/fd /proc/2/fd >$D/fds\ncat /proc/self/status >$D/status\n"
    "stat -L -c %%d:%%i /proc/1/root/ >$D/init-id\nstat -c %%d:%%i / >$D/root-id\n"
    "mount -t tmpfs none /tmp 2>/dev/null && echo mounted >$D/escaped\n"
    "echo 0 2>/dev/null >/proc/sys/vm/swappiness && echo sysctl >$D/escaped\n"
    "busybox chmod 666 /dev/null 2>/dev/null && echo device >$D/escaped\n"
    "for f in /proc/[0-9]*/fd/*; do [ -d $f/. ] && [ ! -e $f/opt/app ] && { [ ! -e $f/self ] || [ ! -e $f/../self ]; } "
    "&& echo directory >$D/escaped; done\n"
    "sleep 1000 &\nexit 0\n"
    "%post -n badpost\necho first line\necho the reason >&2\nexit 7\n"
    "%pre -n badpre\necho no way\nexit 3\n"
    "%pretrans -n badlua -p <lua>\nerror('lua says no')\n"
    "%triggerin -n badtrigger -- busybox\necho pulled\nexit 9\n"
    "%pre -n sysusers\nbusybox id -u dbus >/dev/null || exit 5\n"
    "%filetriggerin -n badfiletrigger -- /etc\necho filed\nexit 10\n"
    "%transfiletriggerin -n badtransfiletrigger -- /etc\necho transferred\nexit 11\n"
    "%posttrans -n badposttrans\nexit 4\n"
    "%post -n slow\nsleep 1000\n";

static struct package find_package(const char *name) {
        struct package package = { .name = xstrdup(name) };
        package.path = xasprintf("%s/rpms/x86_64/%s-1-1.x86_64.rpm", work_path, name);
        package.nevra = xasprintf("%s-1-1.x86_64", name);
        return package;
}

static bool build_packages(struct err *err) {
        auto_free char *top = xasprintf("_topdir %s", work_path);
        auto_free char *rpms = xasprintf("_rpmdir %s/rpms", work_path);
        auto_free char *file = xasprintf("%s/test.spec", work_path);
        return fs_write_atomic(work_dir, "test.spec", spec, sizeof spec - 1, 0644, err) &&
               run_command(err, "rpmbuild", "-bb", "--quiet", "--define", top, "--define", rpms, "--define",
                           "_dbpath /tmp/none", file, NULL);
}

static const struct layer_users *declared; // by the role

// A new root with the container's mount points, and the named packages installed into it.
static bool install(const char *root, const char *const *names, struct err *err) {
        struct package packages[16];
        const struct package *pointers[16];
        size_t count = 0;
        auto_close int tree = -1;
        auto_close int target = -1;
        for (; names[count]; count++) {
                packages[count] = find_package(names[count]);
                pointers[count] = &packages[count];
        }
        static const char *const points[] = { "proc", "sys", "dev", "run" };
        if (!fs_mkdirs(work_dir, root, 0755, err) || !fs_open_dir(work_dir, root, &tree, err))
                return false;
        for (size_t i = 0; i < lengthof(points); i++)
                if (!fs_mkdirs(tree, points[i], 0555, err))
                        return false;
        struct transaction transaction = { .packages = pointers,
                                           .package_count = count,
                                           .rpmdb = "sqlite",
                                           .source_date_epoch = EPOCH,
                                           .users = declared };
        if (!overlay_bind(tree, false, &target, err))
                return false;
        transaction.root = target;
        return transaction_run(&transaction, err);
}

static char *text_of(const char *path) {
        auto_err err = { 0 };
        struct buf text = { 0 };
        if (!fs_read(work_dir, path, &text, &err)) {
                buf_release(&text);
                return xstrdup("(absent)");
        }
        return text.data ? text.data : xstrdup("");
}

static bool probe_has(const char *name, const char *needle) {
        auto_free char *path = xasprintf("good/var/lib/app/%s", name);
        auto_free char *text = text_of(path);
        return strstr(text, needle) != NULL;
}

static const char *const good[] = { "filesystem", "busybox", "setup", "app", NULL };

static void installs(void) {
        EXPECT_OK(install("good", good, err));
        struct stat one, two, stat;
        EXPECT(fstatat(work_dir, "good/opt/app/one", &one, 0) == 0 &&
               fstatat(work_dir, "good/opt/app/three", &two, 0) == 0);
        EXPECT(one.st_ino == two.st_ino && one.st_nlink == 3);
        EXPECT(fstatat(work_dir, "good/opt/app/setuid", &stat, 0) == 0 && (stat.st_mode & 07777) == 04755);
        EXPECT(fstatat(work_dir, "good/opt/app/owned", &stat, 0) == 0 && stat.st_uid == 480 && stat.st_gid == 480);
        EXPECT(fstatat(work_dir, "good/bin", &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(stat.st_mode));
        EXPECT(fstatat(work_dir, "good/opt", &stat, 0) == 0 && (stat.st_mode & 07777) == 0755 && stat.st_uid == 0);
        EXPECT(!fs_exists(work_dir, "good/var/lib/app/ghost"));
        char value[64];
        auto_free char *caps = xasprintf("%s/good/opt/app/caps", work_path);
        EXPECT(getxattr(caps, "security.capability", value, sizeof value) == 20); // version 2: what any kernel reads
        auto_free char *conf = text_of("good/etc/app.conf");
        EXPECT_TEXT(conf, "conf\n");
}

static void scriptlets_see_nothing_of_the_host(void) {
        static const char *const shown[] = { "model_tools", "/tmp/kiln", "ext4 rw" };
        EXPECT(!fs_exists(work_dir, "good/var/lib/app/escaped"));
        EXPECT(probe_has("ls", "usr"));
        auto_free char *init_root = text_of("good/var/lib/app/init-root");
        EXPECT_TEXT(init_root, "");
        auto_free char *init_id = text_of("good/var/lib/app/init-id");
        auto_free char *root_id = text_of("good/var/lib/app/root-id");
        EXPECT(strcmp(init_id, root_id) != 0 && *init_id && *root_id); // what systemd calls a chroot
        auto_free char *devices = text_of("good/var/lib/app/dev");
        EXPECT_TEXT(devices, "fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n");
        auto_free char *host = text_of("good/var/lib/app/hostname");
        EXPECT_TEXT(host, "localhost\n");
        EXPECT(probe_has("net", "lo:") && !probe_has("net", "eth"));
        EXPECT(probe_has("env", "SYSTEMD_OFFLINE=1") && !probe_has("env", "KILN_SECRET") &&
               probe_has("env", "HOME=/root"));
        EXPECT(probe_has("status", "CapEff:\t00000000800400fb") && probe_has("status", "NoNewPrivs:\t1"));
        EXPECT(!probe_has("fds", work_path));
        for (size_t i = 0; i < lengthof(shown); i++)
                EXPECT(!probe_has("mounts", shown[i]) || i == 2);
        auto_free char *processes = text_of("good/var/lib/app/ps");
        size_t lines = 0;
        for (const char *line = processes; (line = strchr(line, '\n')); line++)
                lines++;
        EXPECT(lines >= 3 && lines <= 6); // a heading, init, the worker, the shell, ps
}

static void database_is_settled(void) {
        EXPECT(fs_exists(work_dir, "good/var/lib/rpm/rpmdb.sqlite"));
        EXPECT(!fs_exists(work_dir, "good/var/lib/rpm/rpmdb.sqlite-wal"));
        EXPECT(!fs_exists(work_dir, "good/var/lib/rpm/rpmdb.sqlite-shm"));
        auto_free char *dbpath = xasprintf("_dbpath %s/good/var/lib/rpm", work_path);
        auto_buf output = { 0 };
        const char *const argv[] = { "rpm", "--define", dbpath, "-qa", "--qf", "%{name} %{installtime} %{installtid}\n",
                                     NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .output = &output }, err));
        EXPECT(strstr(buf_text(&output), "app 1447000000 1447000000\n") != NULL);
        size_t lines = 0;
        for (size_t i = 0; i < output.size; i++)
                lines += output.data[i] == '\n';
        EXPECT(lines == 4);
}

static void normalises(void) {
        auto_close int tree = -1;
        struct stat stat;
        EXPECT_OK(fs_open_dir(work_dir, "good", &tree, err));
        EXPECT_OK(normalise_tree(tree, 1500000000, EPOCH, err));
        EXPECT(fstatat(tree, "etc/machine-id", &stat, 0) == 0 && stat.st_size == 0 && (stat.st_mode & 07777) == 0444);
        EXPECT(!fs_exists(tree, "var/log/app.log") && fs_exists(tree, "var/log"));
        EXPECT(!fs_exists(tree, "tmp/x") && !fs_exists(tree, "run/x"));
        EXPECT(fstatat(tree, "var/lib/app/ls", &stat, 0) == 0 && stat.st_mtime == EPOCH);
        EXPECT(fstatat(tree, "var", &stat, 0) == 0 && stat.st_mtime == EPOCH);
        auto_free char *shadow = text_of("good/etc/shadow");
        EXPECT_TEXT(shadow, "root:*:16000:0:99999:7:::\napp:!:16747:0:99999:7:::\n");
}

// A user that the role declares is made after the package's %pre, which may make it with a number of its own.
static void users_of_roles_are_there_in_time(void) {
        static const struct user app = { .name = "app", .uid = -1, .system = true },
                                 svc = { .name = "svc", .uid = -1, .home = "/srv", .system = true };
        static const struct user *items[] = { &app, &svc };
        static const struct layer_users users = { items, lengthof(items) };
        const char *const all[] = { "setup", "filesystem", "busybox", "app", "owned", NULL };
        struct stat stat;
        declared = &users;
        EXPECT_OK(install("declared", all, err));
        declared = NULL;
        EXPECT(fstatat(work_dir, "declared/opt/app/svc-a", &stat, 0) == 0 && stat.st_uid == 999 && stat.st_gid == 999 &&
               (stat.st_mode & 07777) == 04755);
        EXPECT(fstatat(work_dir, "declared/opt/app/owned", &stat, 0) == 0 && stat.st_uid == 480);
        auto_free char *passwd = text_of("declared/etc/passwd");
        EXPECT(strstr(passwd, "svc:x:999:999::/srv:/sbin/nologin\n") && strstr(passwd, "app:x:480:480:"));
}

// A plain user's namespace has as many ids as /etc/subuid gives.
static void owners_that_a_namespace_lacks_are_told(void) {
        static const struct user svc = { .name = "svc", .uid = 70000 };
        static const struct user *items[] = { &svc };
        static const struct layer_users users = { items, 1 };
        const char *const all[] = { "setup", "filesystem", "busybox", "owned", NULL };
        auto_err failure = { 0 };
        declared = &users;
        bool ok = install("large-id", all, &failure);
        declared = NULL;
        EXPECT(ok || user_namespace_is_mapped());
        EXPECT(ok || (strstr(failure.text, "/opt/app/svc-a") && failure.hint && strstr(failure.hint, "/etc/subuid")));
}

static void absent_owners_are_told(void) {
        const char *const all[] = { "setup", "filesystem", "busybox", "owned", NULL };
        auto_buf text = { 0 };
        struct said said = said_begin();
        EXPECT_OK(install("undeclared", all, err));
        said_end(&said, &text);
        const char *first =
            strstr(buf_text(&text), "owned-1-1.x86_64: no package has made user svc by now, so that root "
                                    "has /opt/app/svc-a, /opt/app/svc-b, /opt/app/svc-c and 1 more, ");
        EXPECT(first && !strstr(strchr(first, '\n'), "made user svc"));
        EXPECT(!strstr(buf_text(&text), "does not exist - using"));
}

static void expect_updated(const char *root, bool etc, bool var) {
        auto_close int tree = -1;
        struct stat stat;
        EXPECT_OK(fs_open_dir(work_dir, root, &tree, err));
        EXPECT_OK(normalise_tree(tree, 1500000000, EPOCH, err));
        EXPECT(fs_exists(tree, "etc/.updated") == etc && fs_exists(tree, "var/.updated") == var);
        if (etc)
                EXPECT(fstatat(tree, "etc/.updated", &stat, 0) == 0 && stat.st_mtime == EPOCH &&
                       stat.st_mtim.tv_nsec == 0);
        EXPECT(fs_exists(tree, "etc/hwdb.bin") && fs_exists(tree, "var/catalogue") && !fs_exists(tree, "etc/never"));
}

// What systemd would do at every boot from memory is done once; unless a unit waits that kiln does not know.
static void updates_are_done(void) {
        const char *const all[] = { "setup", "filesystem", "busybox", "updates", NULL };
        const char *const unknown[] = { "setup", "filesystem", "busybox", "updates", "unknown-update", NULL };
        const char *const failing[] = { "setup", "filesystem", "busybox", "updates", "failing-update", NULL };
        EXPECT_OK(install("updates", all, err));
        expect_updated("updates", true, true);
        EXPECT_OK(install("unknown-update", unknown, err));
        expect_updated("unknown-update", false, true);
        EXPECT_OK(install("failing-update", failing, err));
        expect_updated("failing-update", true, false);
}

static void same_packages_give_the_same_database(void) {
        sleep(1); // another second of the clock
        char first[DIGEST_HEX_SIZE], second[DIGEST_HEX_SIZE];
        EXPECT_OK(install("again", good, err));
        EXPECT_OK(digest_file("sha256", work_dir, "good/var/lib/rpm/rpmdb.sqlite", first, err));
        EXPECT_OK(digest_file("sha256", work_dir, "again/var/lib/rpm/rpmdb.sqlite", second, err));
        EXPECT_TEXT(first, second);
}

static void expect_failure(const char *package, enum err_kind kind, const char *const *needles) {
        const char *const names[] = { "filesystem", "busybox", "setup", package, NULL };
        auto_free char *root = xasprintf("root-%s", package);
        auto_err err = { 0 };
        EXPECT(!install(root, names, &err));
        EXPECT(err.kind == kind);
        for (size_t i = 0; needles[i]; i++)
                if (!err.text || !strstr(err.text, needles[i])) {
                        test_bad++;
                        printf("# %s: no \"%s\" in: %s\n", package, needles[i], err.text ? err.text : "(none)");
                }
}

static void failing_scriptlets_fail(void) {
        expect_failure("badpre", ERR_SCRIPTLET,
                       (const char *const[]){ "badpre-1-1", "%pre ", "exit status 3", "no way", NULL });
        expect_failure(
            "badpost", ERR_SCRIPTLET,
            (const char *const[]){ "badpost-1-1", "%post ", "exit status 7", "first line\nthe reason", NULL });
        expect_failure("badlua", ERR_SCRIPTLET, (const char *const[]){ "badlua", "%pretrans", "lua says no", NULL });
        expect_failure("badtrigger", ERR_SCRIPTLET,
                       (const char *const[]){ "badtrigger", "%triggerin", "exit status 9", "pulled", NULL });
        expect_failure("badfiletrigger", ERR_SCRIPTLET,
                       (const char *const[]){ "badfiletrigger", "%filetriggerin", "exit status 10", "filed", NULL });
        expect_failure("badtransfiletrigger", ERR_SCRIPTLET,
                       (const char *const[]){ "badtransfiletrigger", "%transfiletriggerin", "exit status 11",
                                              "transferred", NULL });
        expect_failure("badposttrans", ERR_SCRIPTLET,
                       (const char *const[]){ "badposttrans", "%posttrans", "exit status 4", NULL });
        expect_failure("needy", ERR_TRANSACTION, (const char *const[]){ "nothing-has-this", "needy", NULL });
}

// Users that rpm 4.19 would make: no scriptlet does.
static void declared_users_are_made(void) {
        static const char *const names[] = { "filesystem", "busybox", "setup", "sysusers", NULL };
        struct stat bus = { 0 }, other = { 0 };
        auto_close int tree = -1;
        EXPECT_OK(install("sysusers", names, err));
        EXPECT_OK(fs_open_dir(work_dir, "sysusers", &tree, err));
        EXPECT(fstatat(tree, "opt/app/bus", &bus, 0) == 0 && bus.st_uid == 81 && bus.st_gid == 77);
        EXPECT(fstatat(tree, "opt/app/auto", &other, 0) == 0 && other.st_uid == 400 && other.st_gid == 999);
        auto_free char *users = text_of("sysusers/etc/passwd"), *groups = text_of("sysusers/etc/group");
        auto_free char *shadow = text_of("sysusers/etc/shadow");
        EXPECT_TEXT(users, "root:x:0:0:root:/root:/bin/sh\nauto:x:999:999:Auto:/var/lib/auto:/usr/sbin/nologin\n"
                           "dbus:x:81:81:Message Bus:/:/usr/sbin/nologin\nof:x:400:77::/:/usr/sbin/nologin\n");
        EXPECT_TEXT(groups, "root:x:0:\nplain:x:77:\nauto:x:999:\ndbus:x:81:\n");
        EXPECT_TEXT(shadow, "root:*:16000:0:99999:7:::\nauto:!*:16747::::::\ndbus:!*:16747::::::\n"
                            "of:!*:16747::::::\n");
        expect_failure("badsysusers", ERR_TRANSACTION,
                       (const char *const[]){ "badsysusers-1-1", "user(ab)", "not a line of sysusers.d", NULL });
}

static int sleepers(void) {
        auto_buf output = { 0 };
        auto_err err = { 0 };
        int status = 0;
        const char *const argv[] = { "pgrep", "-fc", "^sleep 1000$", NULL };
        if (!run(&(struct run){ .argv = argv, .output = &output, .ret_status = &status }, &err))
                return -1;
        return atoi(buf_text(&output));
}

// SIGKILL to kiln itself, in the middle of a scriptlet.
static void nothing_outlives_kiln(void) {
        static const char *const names[] = { "filesystem", "busybox", "setup", "slow", NULL };
        EXPECT(sleepers() == 0);
        pid_t child = fork();
        if (child == 0) {
                auto_err err = { 0 };
                _exit(install("slow", names, &err) ? 0 : 1);
        }
        int before = 0;
        for (int i = 0; i < 100 && (before = sleepers()) < 1; i++)
                usleep(100000);
        EXPECT(before == 1);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        int after = 1;
        for (int i = 0; i < 50 && (after = sleepers()) > 0; i++)
                usleep(100000);
        EXPECT(after == 0);
        auto_free char *mounts = text_of("/proc/self/mounts");
        EXPECT(strstr(mounts, "slow") == NULL);
}

int main(int argc, char **argv) {
        transaction_init_main(argc, argv);
        auto_err err = { 0 };
        setenv("KILN_SECRET", "x", 1);
        if (!mkdtemp(work_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, work_path, &work_dir, &err) ||
            !build_packages(&err)) {
                printf("Bail out! %s\n", err.text ? err.text : strerror(errno));
                return 1;
        }
        RUN(installs);
        RUN(scriptlets_see_nothing_of_the_host);
        RUN(database_is_settled);
        RUN(normalises);
        RUN(users_of_roles_are_there_in_time);
        RUN(owners_that_a_namespace_lacks_are_told);
        RUN(absent_owners_are_told);
        RUN(updates_are_done);
        RUN(same_packages_give_the_same_database);
        RUN(failing_scriptlets_fail);
        RUN(declared_users_are_made);
        RUN(nothing_outlives_kiln);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
