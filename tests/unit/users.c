// SPDX-License-Identifier: MIT
// Users and groups added to the files of an image.
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "sandbox/sandbox.h"
#include "shared/place.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"

static char root_path[] = "/tmp/kiln-users-XXXXXX";
static int root = -1;

static const char passwd[] =
    "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1::/bin:/sbin/nologin\nchrony:x:999:998::/:/sbin/nologin\n";
static const char group[] = "root:x:0:\nadm:x:4:bin\nwheel:x:10:\nchrony:x:998:\nzk:x:700:";

static void reset(void) {
        EXPECT_OK(tree_write(root, "/etc/passwd", passwd, sizeof passwd - 1, 0644, 0, 0, err));
        EXPECT_OK(tree_write(root, "/etc/group", group, sizeof group - 1, 0644, 0, 0, err));
        EXPECT_OK(tree_write(root, "/etc/shadow", "root:*:1::::::\n", 15, 0000, 0, 0, err));
        EXPECT_OK(tree_write(root, "/etc/gshadow", "root:*::\nadm:::bin\n", 19, 0000, 0, 0, err));
        EXPECT_OK(tree_remove(root, "/srv", err));
}

static bool add(struct user *users, size_t count, struct err *err) {
        struct role role = { .name = "r", .users = users, .user_count = count };
        struct config config = { .role = &role, .root = root, .source_date_epoch = 86400 * 100 };
        return accounts_write(&config, err);
}

static void expect_text(const char *path, const char *wanted) {
        auto_buf text = { 0 };
        EXPECT_OK(tree_read(root, path, &text, err));
        EXPECT_TEXT(buf_text(&text), wanted);
}

static void adds_users(void) {
        const char *groups[] = { "adm", "wheel" };
        struct user users[] = {
                { .name = "app",
                  .home = "/srv/app",
                  .shell = "/bin/sh",
                  .comment = "App",
                  .uid = -1,
                  .system = true,
                  .groups = { groups, 2 } },
                { .name = "zk", .home = "/", .shell = "/sbin/nologin", .comment = "", .uid = 480, .system = true },
                { .name = "alice", .home = "/srv/alice", .shell = "/bin/bash", .comment = "", .uid = -1 },
        };
        struct stat stat;
        reset();
        EXPECT_OK(add(users, 3, err));
        expect_text(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1::/bin:/sbin/nologin\nchrony:x:999:998::/:/sbin/nologin\n"
            "app:x:997:997:App:/srv/app:/bin/sh\nzk:x:480:700::/:/sbin/nologin\n"
            "alice:x:1000:1000::/srv/alice:/bin/bash\n");
        expect_text(
            "/etc/group",
            "root:x:0:\nadm:x:4:bin,app\nwheel:x:10:app\nchrony:x:998:\nzk:x:700:\napp:x:997:\nalice:x:1000:\n");
        expect_text("/etc/shadow", "root:*:1::::::\napp:!!:100::::::\nzk:!!:100::::::\nalice:!!:100:0:99999:7:::\n");
        expect_text("/etc/gshadow", "root:*::\nadm:::bin,app\napp:!::\nalice:!::\n");
        EXPECT(fstatat(root, "etc/shadow", &stat, 0) == 0 && (stat.st_mode & 07777) == 0);
        EXPECT(fstatat(root, "srv/app", &stat, 0) == 0 && stat.st_uid == 997 && (stat.st_mode & 07777) == 0755);
        EXPECT(fstatat(root, "srv/alice", &stat, 0) == 0 && stat.st_uid == 1000 && (stat.st_mode & 07777) == 0700);
}

static void keeps_what_a_package_made(void) {
        struct user same[] = {
                { .name = "bin", .home = "/bin", .shell = "", .comment = "", .uid = 1, .system = true }
        };
        reset();
        EXPECT_OK(add(same, 1, err));
        expect_text("/etc/passwd", passwd);
}

static void refuses(void) {
        const char *groups[] = { "whel" };
        struct user cases[] = {
                { .name = "a:b", .uid = -1 },
                { .name = "app", .uid = 999 },
                { .name = "bin", .uid = 77 },
                { .name = "app", .uid = -1, .system = true, .groups = { groups, 1 } },
        };
        static const enum err_kind kinds[] = { ERR_SCHEMA, ERR_DUPLICATE, ERR_REFERENCE, ERR_REFERENCE };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_err failure = { 0 };
                reset();
                EXPECT(!add(&cases[i], 1, &failure));
                EXPECT(failure.kind == kinds[i]);
                expect_text("/etc/passwd", passwd); // nothing half done
                if (i == 3)
                        EXPECT_TEXT(failure.hint, "did you mean \"wheel\"?");
        }
}

static void resolves_owners(void) {
        struct place place = { "roles/x.yaml", 3, 7 };
        unsigned uid = 0, gid = 0;
        auto_err failure = { 0 };
        reset();
        EXPECT_OK(accounts_resolve(root, "chrony", "adm", &place, &uid, &gid, err));
        EXPECT(uid == 999 && gid == 4);
        EXPECT_OK(accounts_resolve(root, "12", "34", &place, &uid, &gid, err));
        EXPECT(uid == 12 && gid == 34);
        EXPECT(!accounts_resolve(root, "chroni", "adm", &place, &uid, &gid, &failure));
        EXPECT_TEXT(failure.text, "roles/x.yaml:3:7: the image has no user \"chroni\"");
        EXPECT_TEXT(failure.hint, "did you mean \"chrony\"?");
}

static void stays_inside_the_image(void) {
        auto_err failure = { 0 };
        EXPECT_OK(tree_link(root, "/out", "/", err));
        EXPECT_OK(tree_link(root, "/up", "../../../../..", err));
        EXPECT_OK(tree_write(root, "/out/kiln-inside-1", "x", 1, 0644, 0, 0, err));
        EXPECT_OK(tree_write(root, "/up/kiln-inside-2", "x", 1, 0644, 0, 0, err));
        EXPECT(fs_exists(root, "kiln-inside-1") && fs_exists(root, "kiln-inside-2"));
        EXPECT(!fs_exists(AT_FDCWD, "/kiln-inside-1") && !fs_exists(AT_FDCWD, "/kiln-inside-2"));
        EXPECT(!tree_write(root, "/a/../../x", "x", 1, 0644, 0, 0, &failure) && failure.kind == ERR_REFERENCE);
}

static bool is_ready(int fd) {
        char byte;
        return read(fd, &byte, 1) == 1;
}

// In a namespace of 65536 ids, which `ready` says is mapped.
static int own_a_large_id(int ready) {
        auto_err failure = { 0 };
        if (!is_ready(ready) || setgid(0) < 0 || setuid(0) < 0)
                return 1;
        if (tree_write(root, "/srv/large", "", 0, 0644, 70000, 0, &failure))
                return 2;
        bool is_told = strstr(failure.text, "of /srv/large: 70000:0") && failure.hint &&
                       strstr(failure.hint, "number of 65536 or more") && strstr(failure.hint, "/etc/subuid");
        return is_told ? 0 : 3;
}

static void an_owner_that_the_namespace_lacks_is_told(void) {
        static const char map[] = "0 0 65536\n";
        int unshared[2], mapped[2], status = -1;
        EXPECT(pipe(unshared) == 0 && pipe(mapped) == 0);
        pid_t child = fork();
        if (child == 0) {
                if (unshare(CLONE_NEWUSER) < 0 || write(unshared[1], "x", 1) != 1)
                        _exit(9);
                _exit(own_a_large_id(mapped[0]));
        }
        EXPECT(is_ready(unshared[0]));
        auto_free char *process = xasprintf("/proc/%d", (int)child);
        auto_close int dir = open(process, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        static const char *const files[] = { "uid_map", "gid_map" };
        for (size_t i = 0; i < lengthof(files); i++) {
                auto_close int file = openat(dir, files[i], O_WRONLY | O_CLOEXEC);
                EXPECT(write(file, map, sizeof map - 1) == (ssize_t)sizeof map - 1);
        }
        EXPECT(write(mapped[1], "x", 1) == 1);
        EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        for (size_t i = 0; i < 2; i++) {
                close(unshared[i]);
                close(mapped[i]);
        }
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(root_path) || !sandbox_enter(&err) || !fs_open_dir(AT_FDCWD, root_path, &root, &err))
                return 1;
        RUN(adds_users);
        RUN(keeps_what_a_package_made);
        RUN(refuses);
        RUN(resolves_owners);
        RUN(stays_inside_the_image);
        RUN(an_owner_that_the_namespace_lacks_is_told);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, root_path, &err);
        return failed;
}
