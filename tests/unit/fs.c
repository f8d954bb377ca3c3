// SPDX-License-Identifier: MIT
// Directories are made with their mode, and removed whole, also if they are deeper than a process may open files.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum { DEPTH = 700, FILES_OPEN_MAX = 500 };

static char top[] = "/tmp/kiln-remove-XXXXXX";

static void make_deep(const char *name) {
        int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < DEPTH && dir >= 0; i++) {
                const char *child = i == 0 ? name : "d";
                EXPECT(mkdirat(dir, child, 0755) == 0);
                int next = openat(dir, child, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                int file = openat(next, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                EXPECT(file >= 0);
                close(file);
                close(dir);
                dir = next;
        }
        close(dir);
}

static void allow_files(rlim_t count) {
        struct rlimit limit;
        EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void expect_removed(const char *name) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        allow_files(FILES_OPEN_MAX);
        EXPECT_OK(fs_remove_tree(dir, name, err));
        EXPECT(!fs_exists(dir, name));
        allow_files(1024);
}

static void a_tree_deeper_than_open_files_is_removed(void) {
        make_deep("deep");
        expect_removed("deep");
        EXPECT(rmdir(top) == 0); // nothing was moved out of it and stayed
        EXPECT(mkdir(top, 0755) == 0);
}

static void what_is_not_there_is_removed(void) { expect_removed("nothing"); }

static void a_link_is_removed_and_not_what_it_names(void) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(mkdirat(dir, "kept", 0755) == 0 && symlinkat("kept", dir, "link") == 0);
        expect_removed("link");
        EXPECT(fs_exists(dir, "kept"));
        expect_removed("kept");
}

static void a_directory_has_its_mode_whatever_the_umask(void) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat stat;
        mode_t before = umask(077);
        EXPECT_OK(fs_mkdirs(dir, "one/two", 0755, err));
        umask(before);
        EXPECT(fstatat(dir, "one", &stat, 0) == 0 && (stat.st_mode & 07777) == 0755);
        EXPECT(fstatat(dir, "one/two", &stat, 0) == 0 && (stat.st_mode & 07777) == 0755);
        expect_removed("one");
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        RUN(a_tree_deeper_than_open_files_is_removed);
        RUN(a_directory_has_its_mode_whatever_the_umask);
        RUN(what_is_not_there_is_removed);
        RUN(a_link_is_removed_and_not_what_it_names);
        rmdir(top);
        return test_done();
}
