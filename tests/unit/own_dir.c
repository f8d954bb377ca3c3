// SPDX-License-Identifier: MIT
// Whom a directory must belong to before its content is believed.
#include "base/own_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum { OTHER_USER = 12345 };

static char top[] = "/tmp/kiln-own.XXXXXX";

static void expect_opens(const char *name, enum own_dir_kind kind, const char *why) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        auto_err err = { 0 };
        auto_close int fd = -1;
        bool ok = own_dir_open(AT_FDCWD, path, kind, path, &fd, &err);
        EXPECT(ok == !why);
        EXPECT(ok == (fd >= 0));
        if (why)
                EXPECT(err.text && strstr(err.text, why) != NULL && err.hint);
}

static void make_one(const char *name, mode_t mode) {
        auto_free char *path = xasprintf("%s/%s", top, name);
        EXPECT(mkdir(path, 0700) == 0 && chmod(path, mode) == 0);
}

static void own_directories_are_taken(void) {
        make_one("plain", 0755);
        make_one("private", 0700);
        expect_opens("plain", OWN_DIR, NULL);
        expect_opens("private", OWN_DIR, NULL);
}

static void what_others_may_write_is_refused(void) {
        make_one("world", 0757);
        make_one("sticky", 01777);
        expect_opens("world", OWN_DIR, "may be written by other users");
        expect_opens("world", OWN_DIR_SHARED, "may be written by other users");
        expect_opens("sticky", OWN_DIR, "may be written by other users");
        expect_opens("sticky", OWN_DIR_SHARED, NULL);
}

static void a_group_is_others_unless_it_is_the_owners(void) {
        auto_free char *path = xasprintf("%s/group", top);
        make_one("group", 0775);
        EXPECT(chown(path, (uid_t)-1, geteuid()) == 0);
        expect_opens("group", OWN_DIR, NULL);
        EXPECT(chown(path, (uid_t)-1, OTHER_USER) == 0);
        expect_opens("group", OWN_DIR, "may be written by other users");
}

static void another_users_is_refused(void) {
        auto_free char *path = xasprintf("%s/foreign", top);
        make_one("foreign", 0755);
        EXPECT(chown(path, OTHER_USER, OTHER_USER) == 0);
        expect_opens("foreign", OWN_DIR, "another user (id 12345)");
        expect_opens("foreign", OWN_DIR_SHARED, "another user");
}

static void links_are_taken_only_where_the_user_named_them(void) {
        auto_free char *path = xasprintf("%s/link", top);
        EXPECT(symlink("plain", path) == 0);
        expect_opens("link", OWN_DIR, "is a link");
        expect_opens("link", OWN_DIR_LINK, NULL);
}

int main(void) {
        auto_err ignored = { 0 };
        EXPECT(mkdtemp(top) != NULL);
        RUN(own_directories_are_taken);
        RUN(what_others_may_write_is_refused);
        RUN(links_are_taken_only_where_the_user_named_them);
        if (geteuid() == 0) {
                RUN(a_group_is_others_unless_it_is_the_owners);
                RUN(another_users_is_refused);
        } else {
                SKIP(a_group_is_others_unless_it_is_the_owners, "only root gives directories away");
                SKIP(another_users_is_refused, "only root gives directories away");
        }
        if (!fs_remove_tree(AT_FDCWD, top, &ignored))
                printf("# %s\n", ignored.text);
        return test_done();
}
