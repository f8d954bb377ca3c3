// SPDX-License-Identifier: MIT
// Files inside a root: atomic, idempotent, and never outside of it.
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "firmware/node/apply.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/root/root.h"
#include "tests/unit/node.h"

static char root_path[64], outside_path[64];
static int root = -1;

static void make_root(void) {
        snprintf(root_path, sizeof root_path, "/tmp/kiln-node.XXXXXX");
        snprintf(outside_path, sizeof outside_path, "/tmp/kiln-outside.XXXXXX");
        EXPECT(mkdtemp(root_path) && mkdtemp(outside_path));
        root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(root >= 0);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)stat, (void)type, (void)where;
        return remove(path);
}

static void remove_root(void) {
        close(root);
        nftw(root_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        nftw(outside_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool write_file(const char *path, const char *text, unsigned mode, bool *ret_changed) {
        struct err err = { 0 };
        const struct root_file file = { path, text, strlen(text), mode, getuid(), getgid() };
        bool ok = root_write(root, &file, ret_changed, &err);
        err_release(&err);
        return ok;
}

static bool file_is(const char *path, const char *text) {
        auto_buf found = { .max = 1 << 16 };
        struct err err = { 0 };
        bool exists = false, ok = root_read(root, path, &found, &exists, &err);
        err_release(&err);
        return ok && exists && strcmp(buf_text(&found), text) == 0;
}

static void a_second_write_changes_nothing(void) {
        make_root();
        bool changed = false;
        EXPECT(write_file("/etc/a/b", "one\n", 0640, &changed) && changed);
        struct stat before, after;
        EXPECT(fstatat(root, "etc/a/b", &before, 0) == 0 && (before.st_mode & 07777) == 0640);
        EXPECT(write_file("/etc/a/b", "one\n", 0640, &changed) && !changed);
        EXPECT(fstatat(root, "etc/a/b", &after, 0) == 0 && before.st_ino == after.st_ino);
        EXPECT(write_file("/etc/a/b", "one\n", 0644, &changed) && changed);
        EXPECT(write_file("/etc/a/b", "two\n", 0644, &changed) && changed && file_is("/etc/a/b", "two\n"));
        EXPECT(fstatat(root, "etc/a", &after, 0) == 0 && (after.st_mode & 07777) == 0755);
        remove_root();
}

static void what_a_killed_run_left_is_replaced(void) {
        make_root();
        bool changed;
        EXPECT(mkdirat(root, "etc", 0755) == 0);
        int fd = openat(root, "etc/.hostname.kiln", O_CREAT | O_WRONLY, 0600);
        EXPECT(write(fd, "half", 4) == 4);
        close(fd);
        EXPECT(write_file("/etc/hostname", "master101\n", 0644, &changed) && changed);
        EXPECT(faccessat(root, "etc/.hostname.kiln", F_OK, AT_SYMLINK_NOFOLLOW) < 0);
        remove_root();
}

static void links_do_not_lead_outside(void) {
        make_root();
        bool changed;
        EXPECT(symlinkat(outside_path, root, "etc") == 0); // an absolute link: inside the root that is a path below it
        EXPECT(write_file("/etc/hostname", "x\n", 0644, &changed));
        char path[256];
        snprintf(path, sizeof path, "%s/hostname", outside_path);
        EXPECT(access(path, F_OK) < 0 && errno == ENOENT);
        snprintf(path, sizeof path, "%s%s/hostname", root_path, outside_path);
        EXPECT(access(path, F_OK) == 0);
        EXPECT(symlinkat("../../../../..", root, "up") == 0);
        EXPECT(write_file("/up/top", "x\n", 0644, &changed) && file_is("/top", "x\n"));
        EXPECT(symlinkat("loop", root, "loop") == 0);
        EXPECT(!write_file("/loop/x", "x\n", 0644, &changed));
        // A link in the file's own place is replaced, as /etc/resolv.conf often is one.
        EXPECT(symlinkat("/run/other", root, "resolv.conf") == 0);
        EXPECT(write_file("/resolv.conf", "y\n", 0644, &changed) && changed);
        struct stat stat;
        EXPECT(fstatat(root, "resolv.conf", &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode));
        EXPECT(!write_file("/", "x", 0644, &changed) && !write_file("/a/..", "x", 0644, &changed));
        remove_root();
}

static void reading_follows_links_inside(void) {
        make_root();
        bool changed;
        EXPECT(write_file("/usr/share/x", "text", 0644, &changed));
        EXPECT(symlinkat("usr/share", root, "share") == 0 && symlinkat("/share/x", root, "y") == 0);
        EXPECT(file_is("/y", "text") && file_is("/usr/../y", "text"));
        EXPECT(symlinkat("/etc/passwd", root, "secret") == 0);
        EXPECT(!file_is("/secret", "text"));
        auto_buf found = { .max = 65536 };
        bool exists = true;
        EXPECT_OK(root_read(root, "/secret", &found, &exists, err));
        EXPECT(!exists);
        remove_root();
}

static void a_plan_is_applied_once(void) {
        make_root();
        struct trial trial;
        struct applied applied;
        trial_init(&trial, NODE_JSON("master", "true", "false", "systemd-networkd"), "");
        trial_interface(&trial, "ens3", "52:54:00:a8:02:47", true);
        EXPECT(trial_plan(&trial));
        for (size_t i = 0; i < trial.plan.file_count; i++) { // this test need not be root
                trial.plan.files[i].uid = getuid();
                trial.plan.files[i].gid = getgid();
        }
        EXPECT_OK(apply_plan(root, false, &trial.plan, &applied, err));
        EXPECT(applied.changed == trial.plan.file_count);
        EXPECT(file_is("/etc/hostname", "master101\n") && file_is("/etc/zookeeper/conf/myid", "1\n"));
        EXPECT_OK(apply_plan(root, false, &trial.plan, &applied, err));
        EXPECT(applied.changed == 0);
        bool changed;
        EXPECT(write_file("/run/kiln/refused", "an earlier run\n", 0644, &changed));
        EXPECT_OK(apply_plan(root, false, &trial.plan, &applied, err));
        EXPECT(applied.changed == 1 && !file_is("/run/kiln/refused", "an earlier run\n"));
        trial_release(&trial);
        remove_root();
}

// ---- becoming another machine, and being killed on the way ----

// The plan of a machine on the ifcfg image; a MAC that the inventory knows, or not.
static void make_plan(struct trial *trial, const char *card, const char *mac) {
        trial_init(trial, NODE_JSON("master", "true", "false", "ifcfg"), "kiln.role=master");
        trial_interface(trial, card, mac, true);
        trial->facts.dhcp_asked = true;
        EXPECT(trial_plan(trial));
        for (size_t i = 0; i < trial->plan.file_count; i++) {
                trial->plan.files[i].uid = getuid();
                trial->plan.files[i].gid = getgid();
        }
}

static bool apply(const struct trial *trial, struct applied *ret) {
        auto_err err = { 0 };
        bool ok = apply_plan(root, false, &trial->plan, ret, &err);
        if (!ok)
                printf("# %s\n", err.text);
        return ok;
}

static struct buf listing;

// "PATH MODE CONTENT", for what is no directory; nftw(3) takes no argument. Sorted, since a directory's order is its
// own.
static int list_one(const char *path, const struct stat *stat, int type, struct FTW *where) {
        (void)where;
        if (type != FTW_F)
                return 0;
        auto_buf text = { .max = 1 << 16 };
        auto_err err = { 0 };
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        EXPECT(fd >= 0 && buf_read_fd(&text, fd, &err));
        buf_printf(&listing, "%s %o %s%c", path + strlen(root_path), stat->st_mode, buf_text(&text), '\x01');
        return 0;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static char *list_root(void) {
        char *items[128], *rest;
        size_t count = 0;
        buf_clear(&listing);
        nftw(root_path, list_one, 16, FTW_PHYS);
        rest = listing.data;
        for (char *item; rest && (item = strsep(&rest, "\x01")) && count < lengthof(items);)
                items[count++] = item;
        qsort(items, count, sizeof *items, by_text);
        struct buf sorted = { 0 };
        for (size_t i = 0; i < count; i++)
                buf_printf(&sorted, "%s\n", items[i]);
        buf_release(&listing);
        return buf_take(&sorted);
}

static void what_the_new_identity_lacks_is_removed(void) {
        make_root();
        struct trial known, refused;
        struct applied applied;
        bool changed;
        make_plan(&known, "ens3", "52:54:00:a8:02:47");
        make_plan(&refused, "ens9", "52:54:00:00:00:01");
        EXPECT(!known.plan.refusal && refused.plan.refusal);
        EXPECT(write_file("/etc/sysconfig/network-scripts/ifcfg-own", "an operator's\n", 0644, &changed));
        EXPECT(apply(&known, &applied) && file_is("/etc/hostname", "master101\n"));
        EXPECT(apply(&refused, &applied) && applied.changed > 0);
        EXPECT(!file_is("/etc/hostname", "master101\n") && !file_is("/etc/zookeeper/conf/myid", "1\n"));
        EXPECT(faccessat(root, "etc/sysconfig/network-scripts/ifcfg-ens3", F_OK, 0) < 0);
        EXPECT(faccessat(root, "etc/sysconfig/network-scripts/ifcfg-ens9", F_OK, 0) == 0);
        EXPECT(file_is("/etc/sysconfig/network-scripts/ifcfg-own", "an operator's\n"));
        EXPECT(apply(&refused, &applied) && applied.changed == 0);
        EXPECT(apply(&known, &applied) && file_is("/etc/zookeeper/conf/myid", "1\n"));
        EXPECT(faccessat(root, "etc/sysconfig/network-scripts/ifcfg-ens9", F_OK, 0) < 0);
        EXPECT(faccessat(root, "run/kiln/refused", F_OK, 0) < 0);
        EXPECT(apply(&known, &applied) && applied.changed == 0);
        trial_release(&known);
        trial_release(&refused);
        remove_root();
}

static void a_damaged_list_removes_nothing_else(void) {
        make_root();
        struct trial known;
        struct applied applied;
        bool changed;
        make_plan(&known, "ens3", "52:54:00:a8:02:47");
        EXPECT(
            write_file("/etc/passwd", "kept\n", 0644, &changed) && write_file("/var/data", "kept\n", 0644, &changed) &&
            write_file("/run/kiln/state/x", "kept\n", 0644, &changed) && write_file("/etc/old", "x\n", 0644, &changed));
        EXPECT(write_file("/var/lib/kiln/files",
                          "\n/var/data\n/etc/../var/data\n/run/kiln/state/x\n/etc\nrelative\n/etc/old", 0600,
                          &changed));
        EXPECT(apply(&known, &applied));
        EXPECT(file_is("/etc/passwd", "kept\n") && file_is("/var/data", "kept\n") &&
               file_is("/run/kiln/state/x", "kept\n"));
        EXPECT(faccessat(root, "etc/old", F_OK, 0) < 0);
        EXPECT(apply(&known, &applied) && applied.changed == 0);
        trial_release(&known);
        remove_root();
}

// Runs apply in a child and kills it at its `stops`th entry to or return from a system call. False: it ended before.
static bool kill_at(const struct trial *trial, long stops) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
                struct applied applied;
                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                raise(SIGSTOP);
                _exit(apply(trial, &applied) ? 0 : 1);
        }
        EXPECT(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
        for (long i = 0; i < stops; i++)
                if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid ||
                    !WIFSTOPPED(status)) {
                        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                        return false;
                }
        kill(pid, SIGKILL);
        EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        return true;
}

static bool whole(const char *path, const char *one, const char *other) {
        return file_is(path, one) || file_is(path, other) || faccessat(root, path + 1, F_OK, 0) < 0;
}

static void a_run_that_was_killed_is_completed_by_the_next(void) {
        struct trial before, after;
        struct applied applied;
        make_root();
        make_plan(&before, "ens9", "52:54:00:00:00:01"); // refused, with files of its own
        make_plan(&after, "ens3", "52:54:00:a8:02:47");
        const char *hosts = NULL;
        for (size_t i = 0; i < after.plan.file_count; i++)
                if (strcmp(after.plan.files[i].path, "/etc/hosts") == 0)
                        hosts = after.plan.files[i].content;
        EXPECT(apply(&before, &applied));
        auto_free char *start = list_root();
        EXPECT(apply(&after, &applied));
        auto_free char *wanted = list_root();
        EXPECT(strcmp(start, wanted) != 0 && hosts);
        long stops = 1;
        for (bool killed = true; killed; stops += 5) {
                EXPECT(apply(&before, &applied));
                auto_free char *again = list_root();
                EXPECT(strcmp(again, start) == 0);
                killed = kill_at(&after, stops);
                EXPECT(whole("/etc/hostname", "master101\n", "") && whole("/etc/zookeeper/conf/myid", "1\n", "1\n"));
                EXPECT(file_is("/etc/hosts", hosts) || strstr(start, "/etc/hosts 100644 127.0.0.1"));
                EXPECT(apply(&after, &applied));
                auto_free char *found = list_root();
                EXPECT_TEXT(found, wanted);
                EXPECT(apply(&after, &applied) && applied.changed == 0);
                if (strcmp(found, wanted) != 0)
                        break;
        }
        EXPECT(stops > 200); // it was killed in many places
        trial_release(&before);
        trial_release(&after);
        remove_root();
}

static void a_kill_that_another_identity_follows_leaves_nothing(void) {
        struct trial one, other;
        struct applied applied;
        make_root();
        make_plan(&one, "ens3", "52:54:00:a8:02:47");
        make_plan(&other, "ens9", "52:54:00:00:00:01");
        EXPECT(apply(&other, &applied));
        auto_free char *wanted = list_root();
        for (long stops = 3; kill_at(&one, stops); stops += 11) {
                EXPECT(apply(&other, &applied));
                auto_free char *found = list_root();
                EXPECT_TEXT(found, wanted);
                if (strcmp(found, wanted) != 0)
                        break;
        }
        trial_release(&one);
        trial_release(&other);
        remove_root();
}

static void a_root_that_cannot_be_written_is_said(void) {
        struct trial trial;
        struct applied applied;
        struct err err = { 0 };
        make_root();
        make_plan(&trial, "ens3", "52:54:00:a8:02:47");
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) { // where this may make a read-only mount, that; else a directory without write permission
                bool is_mount = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                                mount(root_path, root_path, NULL, MS_BIND, NULL) == 0 &&
                                mount(NULL, root_path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
                int fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (!is_mount && fchmod(fd, 0500) < 0)
                        _exit(1);
                bool refused = !apply_plan(fd, false, &trial.plan, &applied, &err) && err.text &&
                               strstr(err.text, "/var/lib/kiln/files");
                bool said = !is_mount || (strstr(err.text, "Read-only file system") && err.hint);
                if (!refused || !said)
                        printf("# %s\n", err.text ? err.text : "applied");
                fflush(stdout);
                _exit(refused && said ? 0 : 1);
        }
        int status;
        EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        trial_release(&trial);
        remove_root();
}

static void the_root_and_its_configuration_belong_together(void) {
        static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        make_root();
        bool changed;
        char path[256];
        EXPECT(write_file("/r", "abc", 0644, &changed));
        snprintf(path, sizeof path, "%s/r", root_path);
        EXPECT_OK(initrd_check_root(path, abc, "3", err));
        const char *const bad[][2] = { { abc, "4" }, { abc, "" }, { abc, "3x" }, { "", "3" }, { abc + 1, "3" } };
        for (size_t i = 0; i < lengthof(bad); i++) {
                struct err err = { 0 };
                EXPECT(!initrd_check_root(path, bad[i][0], bad[i][1], &err) && err.text);
                err_release(&err);
        }
        EXPECT(write_file("/r", "abd", 0644, &changed));
        struct err err = { 0 };
        EXPECT(!initrd_check_root(path, abc, "3", &err) && err.kind == ERR_CHECKSUM);
        err_release(&err);
        remove_root();
}

int main(void) {
        RUN(a_second_write_changes_nothing);
        RUN(what_a_killed_run_left_is_replaced);
        RUN(links_do_not_lead_outside);
        RUN(reading_follows_links_inside);
        RUN(a_plan_is_applied_once);
        RUN(what_the_new_identity_lacks_is_removed);
        RUN(a_damaged_list_removes_nothing_else);
        RUN(a_run_that_was_killed_is_completed_by_the_next);
        RUN(a_kill_that_another_identity_follows_leaves_nothing);
        RUN(a_root_that_cannot_be_written_is_said);
        RUN(the_root_and_its_configuration_belong_together);
        return test_done();
}
