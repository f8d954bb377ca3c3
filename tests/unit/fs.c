// SPDX-License-Identifier: MIT
// Directories are made with their mode, and removed whole, also if they are deeper than a process may open files; a
// file is replaced as a whole, and whoever is killed meanwhile leaves nothing.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum { DEPTH = 700, FILES_OPEN_MAX = 500, FILE_BYTES_MAX = 4096 };

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

static void expect_text(int dir, const char *name, const char *expected) {
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(dir, name, &text, err));
        EXPECT_TEXT(buf_text(&text), expected);
}

// The kernel kills who writes more than it may, in the middle of the file.
static void write_and_be_killed(int dir, const char *name) {
        static char large[2 * FILE_BYTES_MAX];
        const struct rlimit limit = { FILE_BYTES_MAX, FILE_BYTES_MAX };
        auto_err ignored = { 0 };
        if (signal(SIGXFSZ, SIG_DFL) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) < 0)
                _exit(1);
        (void)!fs_write_atomic(dir, name, large, sizeof large, 0644, &ignored);
        _exit(2);
}

static void expect_killed(int dir, const char *name) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
                write_and_be_killed(dir, name);
        EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static void who_is_killed_while_writing_leaves_nothing(void) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT_OK(fs_mkdirs(dir, "held", 0755, err));
        expect_killed(dir, "held/new");
        EXPECT(unlinkat(dir, "held", AT_REMOVEDIR) == 0); // there is nothing in it
        EXPECT_OK(fs_mkdirs(dir, "held", 0755, err));
        EXPECT_OK(fs_write_atomic(dir, "held/old", "old", strlen("old"), 0644, err));
        expect_killed(dir, "held/old");
        expect_text(dir, "held/old", "old");
        EXPECT(unlinkat(dir, "held/old", 0) == 0 && unlinkat(dir, "held", AT_REMOVEDIR) == 0);
}

static void a_file_is_replaced_with_its_mode(void) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat stat;
        EXPECT(symlinkat("/nowhere", dir, "file") == 0); // a link is replaced, too, and not what it names
        mode_t before = umask(077);
        EXPECT_OK(fs_write_atomic(dir, "file", "one", strlen("one"), 0644, err));
        umask(before);
        EXPECT(fstatat(dir, "file", &stat, AT_SYMLINK_NOFOLLOW) == 0 && stat.st_mode == (S_IFREG | 0644));
        EXPECT_OK(fs_write_atomic(dir, "file", "two", strlen("two"), 0600, err));
        EXPECT(fstatat(dir, "file", &stat, AT_SYMLINK_NOFOLLOW) == 0 && stat.st_mode == (S_IFREG | 0600));
        expect_text(dir, "file", "two");
        EXPECT(unlinkat(dir, "file", 0) == 0 && mkdirat(dir, "file", 0755) == 0);
        struct err err = { 0 };
        EXPECT(!fs_write_atomic(dir, "file", "three", strlen("three"), 0644, &err) && err.number == EISDIR);
        err_release(&err);
        EXPECT(unlinkat(dir, "file", AT_REMOVEDIR) == 0 && rmdir(top) == 0 && mkdir(top, 0755) == 0);
}

static bool count_fillings(int fd, void *context, struct err *err) {
        (void)fd;
        (void)err;
        ++*(int *)context;
        return true;
}

// It may be gigabytes, and the disk may be full.
static void what_cannot_be_put_in_its_place_is_not_written_again(void) {
        auto_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_err why = { 0 };
        int fillings = 0;
        EXPECT(mkdirat(dir, "directory", 0755) == 0);
        EXPECT(!fs_make_whole(dir, "directory", 0644, count_fillings, &fillings, &why) && why.number == EISDIR);
        EXPECT(fillings == 1 && unlinkat(dir, "directory", AT_REMOVEDIR) == 0);
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        RUN(a_tree_deeper_than_open_files_is_removed);
        RUN(a_directory_has_its_mode_whatever_the_umask);
        RUN(what_is_not_there_is_removed);
        RUN(a_link_is_removed_and_not_what_it_names);
        RUN(who_is_killed_while_writing_leaves_nothing);
        RUN(a_file_is_replaced_with_its_mode);
        RUN(what_cannot_be_put_in_its_place_is_not_written_again);
        rmdir(top);
        return test_done();
}
