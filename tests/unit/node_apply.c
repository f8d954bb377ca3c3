// Files inside a root: atomic, idempotent, and never outside of it.
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "firmware/node/apply.h"
#include "firmware/node/initrd.h"
#include "firmware/node/root.h"
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
        RUN(the_root_and_its_configuration_belong_together);
        return test_done();
}
