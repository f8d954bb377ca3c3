// SPDX-License-Identifier: MIT
// base/: errors, memory, buffers, files, processes, digests, threads.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/digest_state.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/parallel.h"
#include "base/run.h"
#include "tests/unit/test.h"

static int open_temporary_dir(char *path) {
        strcpy(path, "/tmp/kiln-base-XXXXXX");
        return mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void remove_temporary_dir(const char *path) { EXPECT_OK(fs_remove_tree(AT_FDCWD, path, err)); }

static void errors_chain_and_keep_their_kind(void) {
        auto_err err = { 0 };
        EXPECT(!fail(&err, ERR_CHECKSUM, ENOENT, "open %s", "x"));
        EXPECT(!wrap(&err, "unpacking %d", 7));
        EXPECT(!hint(&err, "try again"));
        EXPECT_TEXT(err.text, "unpacking 7: open x: No such file or directory");
        EXPECT_TEXT(err.hint, "try again");
        EXPECT(err.kind == ERR_CHECKSUM && err_exit_code(err.kind) == 23);
}

static void a_failure_without_a_reason_is_a_defect(void) {
        auto_err none = { 0 }, kind_alone = { .kind = ERR_PACKAGE }, given = { 0 };
        EXPECT(!err_need_reason(&none, "kiln x"));
        EXPECT_TEXT(none.text, "internal error: kiln x failed and gave no reason");
        EXPECT(none.kind == ERR_INTERNAL && err_exit_code(none.kind) == 1);
        EXPECT(!err_need_reason(&kind_alone, "kiln x"));
        EXPECT(kind_alone.kind == ERR_INTERNAL && kind_alone.text);
        (void)fail(&given, ERR_PACKAGE, 0, "a reason");
        EXPECT(!err_need_reason(&given, "kiln x"));
        EXPECT_TEXT(given.text, "a reason");
        EXPECT(given.kind == ERR_PACKAGE);
}

static void a_full_disk_is_told_apart(void) {
        auto_err err = { 0 };
        (void)fail(&err, ERR_SYSTEM, ENOSPC, "write");
        EXPECT(err.kind == ERR_DISK_FULL);
        (void)fail(&err, ERR_TRANSACTION, EDQUOT, "write");
        EXPECT(err.kind == ERR_DISK_FULL);
}

static void exit_codes_are_unique(void) {
        for (int i = ERR_NONE; i <= ERR_INTERRUPTED; i++)
                for (int j = ERR_NONE; j < i; j++)
                        EXPECT(err_exit_code(i) != err_exit_code(j));
}

static void a_buffer_stops_at_its_maximum(void) {
        auto_buf buf = { .max = 10 };
        buf_append_text(&buf, "12345678");
        buf_append_text(&buf, "abc");
        EXPECT(buf.overflow && buf.size == 8);
        buf_append_text(&buf, "9");
        EXPECT_TEXT(buf_text(&buf), "12345678");
}

static void arrays_grow_across_every_power_of_two(void) {
        int *numbers = NULL;
        size_t count = 0;
        for (int i = 0; i < 1000; i++)
                *array_append(&numbers, &count) = i;
        bool right = count == 1000;
        for (int i = 0; i < 1000; i++)
                right = right && numbers[i] == i;
        EXPECT(right);
        free(numbers);
}

static void an_arena_holds_large_and_small(void) {
        struct arena arena = { 0 };
        char *small = arena_strdup(&arena, "small");
        char *large = arena_alloc(&arena, 1 << 20);
        memset(large, 1, 1 << 20);
        char *after = arena_printf(&arena, "%d-%s", 5, "x");
        EXPECT_TEXT(small, "small");
        EXPECT_TEXT(after, "5-x");
        EXPECT(((uintptr_t)large & (_Alignof(max_align_t) - 1)) == 0);
        arena_release(&arena);
}

static void atomic_writes_replace_and_leave_nothing(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        EXPECT_OK(fs_write_atomic(dir, "f", "one", 3, 0640, err));
        EXPECT_OK(fs_write_atomic(dir, "f", "two", 3, 0604, err));
        auto_buf text = { 0 };
        EXPECT_OK(fs_read(dir, "f", &text, err));
        EXPECT_TEXT(buf_text(&text), "two");
        struct stat stat;
        EXPECT(fstatat(dir, "f", &stat, 0) == 0 && (stat.st_mode & 07777) == 0604);
        auto_err err = { 0 };
        EXPECT(!fs_write_atomic(dir, "absent/f", "x", 1, 0644, &err) && err.number == ENOENT);
        size_t names = 0;
        auto_closedir DIR *stream = opendir(path);
        while (readdir(stream))
                names++;
        EXPECT(names == 3); // ".", ".." and "f"
        remove_temporary_dir(path);
}

static void links_of_an_image_stay_inside_it(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        EXPECT_OK(fs_mkdirs(dir, "etc/deep", 0755, err));
        EXPECT(symlinkat("/etc", dir, "etc/deep/absolute") == 0);
        EXPECT(symlinkat("../../../../etc", dir, "etc/deep/relative") == 0);
        EXPECT_OK(fs_write_atomic(dir, "etc/passwd", "inside", 6, 0644, err));
        for (int i = 0; i < 2; i++) {
                auto_close int fd = -1;
                auto_buf text = { 0 };
                EXPECT_OK(fs_open_in_root(dir, i ? "etc/deep/absolute/passwd" : "etc/deep/relative/passwd", O_RDONLY, 0,
                                          &fd, err));
                EXPECT_OK(buf_read_fd(&text, fd, err));
                EXPECT_TEXT(buf_text(&text), "inside");
        }
        remove_temporary_dir(path);
}

static void trees_with_closed_directories_are_removed(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        EXPECT_OK(fs_mkdirs(dir, "a/b/c", 0755, err));
        EXPECT_OK(fs_write_atomic(dir, "a/b/c/f", "", 0, 0000, err));
        EXPECT(fchmodat(dir, "a/b/c", 0555, 0) == 0 && fchmodat(dir, "a/b", 0000, 0) == 0);
        EXPECT_OK(fs_remove_tree(dir, "a", err));
        EXPECT(!fs_exists(dir, "a"));
        EXPECT_OK(fs_remove_tree(dir, "a", err));
        remove_temporary_dir(path);
}

static bool join(const struct fs_entry *entry, void *context, struct err *err) {
        (void)err;
        buf_printf(context, "%s ", entry->path);
        if (strcmp(entry->name, "skipped") == 0)
                *entry->descend = false;
        return true;
}

// Directories in one another, each with a file beside the next; deeper than any path that a system call takes.
static void make_chain(int dir, const char *name, unsigned depth) {
        int at = dup(dir);
        for (unsigned i = 0; i < depth; i++) {
                EXPECT(mkdirat(at, name, 0755) == 0);
                int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(at);
                at = next;
                close(openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        }
        close(at);
}

// Two descriptors are open for each level that is being removed: without a limit on the levels this needs 6000.
static void trees_of_any_depth_are_removed_with_few_descriptors(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        EXPECT_OK(fs_mkdirs(dir, "top", 0755, err));
        auto_close int top = openat(dir, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_chain(top, "a", 3000);
        make_chain(top, "b", 500);
        struct rlimit before, few;
        EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
        few = before;
        few.rlim_cur = 450;
        EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
        EXPECT_OK(fs_remove_tree(dir, "top", err));
        EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        EXPECT(!fs_exists(dir, "top"));
        remove_temporary_dir(path);
}

static void walks_of_deep_trees_are_refused(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        auto_err refused = { 0 };
        auto_buf seen = { 0 };
        make_chain(dir, "d", 200);
        EXPECT_OK(fs_walk(dir, join, &seen, err));
        make_chain(dir, "e", 202);
        EXPECT(!fs_walk(dir, join, &seen, &refused) && refused.text && strstr(refused.text, "nested deeper than 200"));
        remove_temporary_dir(path);
}

static void walks_are_sorted_and_can_be_cut(void) {
        char path[32];
        auto_close int dir = open_temporary_dir(path);
        EXPECT_OK(fs_mkdirs(dir, "b/z", 0755, err));
        EXPECT_OK(fs_mkdirs(dir, "skipped/inside", 0755, err));
        EXPECT_OK(fs_mkdirs(dir, "a-", 0755, err));
        EXPECT_OK(fs_mkdirs(dir, "a/y", 0755, err));
        auto_buf seen = { 0 };
        EXPECT_OK(fs_walk(dir, join, &seen, err));
        EXPECT_TEXT(buf_text(&seen), "a a/y a- b b/z skipped ");
        remove_temporary_dir(path);
}

static void paths_that_climb_are_unsafe(void) {
        EXPECT(fs_path_is_safe("/etc/passwd") && fs_path_is_safe("a/..b/c") && fs_path_is_safe("a/b.."));
        EXPECT(!fs_path_is_safe("") && !fs_path_is_safe("..") && !fs_path_is_safe("a/../b") && !fs_path_is_safe("/.."));
}

static void a_program_is_fed_and_read(void) {
        static char input[300000];
        memset(input, 'x', sizeof input);
        auto_buf output = { 0 };
        const char *argv[] = { "cat", NULL };
        struct run cat = { .argv = argv, .input = input, .input_size = sizeof input, .output = &output };
        EXPECT_OK(run(&cat, err));
        EXPECT(output.size == sizeof input);
}

static void a_failing_program_is_quoted(void) {
        auto_err err = { 0 };
        EXPECT(!run_command(&err, "sh", "-c", "echo reason >&2; exit 3", NULL));
        EXPECT_TEXT(err.text, "sh: exit status 3:\nreason");
        EXPECT(err.kind == ERR_TOOL);
        EXPECT(!run_command(&err, "sh", "-c", "kill -9 $$", NULL));
        EXPECT_TEXT(err.text, "sh: killed by SIGKILL");
        EXPECT(!run_command(&err, "kiln-no-such-program", NULL));
        EXPECT_TEXT(err.text, "start kiln-no-such-program: No such file or directory");
}

static void a_status_can_be_asked_for(void) {
        int status = -1;
        const char *argv[] = { "sh", "-c", "exit 5", NULL };
        EXPECT_OK(run(&(struct run){ .argv = argv, .ret_status = &status }, err));
        EXPECT(status == 5);
}

static void digests_match_the_standard(void) {
        char hex[DIGEST_HEX_SIZE];
        // FIPS 180-4's example message.
        digest_bytes("sha256", "abc", 3, hex);
        EXPECT_TEXT(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        digest_bytes("sha", "abc", 3, hex);
        EXPECT_TEXT(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
        EXPECT(!digest_new("crc-99"));
}

static void a_digest_goes_on_from_its_state(void) {
        enum { SIZE = 5 << 20, HALF = 3 << 20 };
        auto_close int fd = memfd_create("digest", MFD_CLOEXEC);
        char text[DIGEST_STATE_TEXT_SIZE], whole[DIGEST_HEX_SIZE], resumed[DIGEST_HEX_SIZE];
        auto_free char *bytes = xmalloc(SIZE);
        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = (char)(i * 7 + i / 1000);
        EXPECT_OK(fs_write_all(fd, bytes, SIZE - 5, err));
        EXPECT_OK(digest_fd("sha256", fd, whole, err));
        for (uint64_t at = 0; at <= HALF; at += HALF) {
                struct digest_state state, read = { .bytes = at };
                EXPECT_OK(digest_begin(fd, at, &state, err));
                digest_state_format(&state, text);
                EXPECT(digest_state_parse(text, &read));
                EXPECT_OK(digest_finish(&read, fd, resumed, err));
                EXPECT_TEXT(resumed, whole);
        }
        struct digest_state state;
        auto_err error = { 0 };
        EXPECT(!digest_begin(fd, SIZE, &state, &error)); // longer than the file
        EXPECT(!digest_state_parse("00ff", &state));
}

static bool count_item(size_t index, void *context, struct err *err) {
        if (index == 57)
                return fail(err, ERR_TOOL, 0, "item %zu", index);
        atomic_fetch_add((atomic_int *)context, 1);
        return true;
}

static void parallel_work_ends_at_the_first_error(void) {
        atomic_int count = 0;
        auto_err err = { 0 };
        EXPECT(parallel_for(50, 4, count_item, &count, &err) && count == 50);
        count = 0;
        EXPECT(!parallel_for(100000, 4, count_item, &count, &err));
        EXPECT_TEXT(err.text, "item 57");
        EXPECT(count < 99999);
}

static void urls_of_paths_are_escaped(void) {
        auto_free char *url = fs_file_url("/a b/100%41/x");
        EXPECT_TEXT(url, "file:///a b/100%2541/x");
}

static void only_what_is_printable_is_printed(void) {
        static const char *const texts[][2] = {
                { "a\tb\n\xc3\xbc \xe2\x82\xac \xf0\x9f\x94\xa5", "a\tb\n\xc3\xbc \xe2\x82\xac \xf0\x9f\x94\xa5" },
                { "\x1b[31m\r\x7f\xc2\x9b", "?[31m????" },
                { "\xff\xc0\xaf\xe0\x80\x80\xed\xa0\x80\xf5", "?????????\?" },
                { "caf\xe9", "caf?" },
                { "a\xe2\x80\xae\xe2\x81\xa9\xe2\x80\x8f\xd8\x9c\xd8\x9b\xe2\x80\xa6", "a????\xd8\x9b\xe2\x80\xa6" },
                { "\xe2\x82", "??" },
                { "", "" },
        };
        for (size_t i = 0; i < lengthof(texts); i++) {
                auto_buf text = { 0 };
                mistake_printable(&text, texts[i][0], strlen(texts[i][0]));
                EXPECT_TEXT(buf_text(&text), texts[i][1]);
        }
}

static void plain_users_find_administrators_programs(void) {
        static const char *const paths[][2] = {
                { "/usr/bin:/bin", "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin" },
                { "/sbin:/usr/bin", "/sbin:/usr/bin:/usr/local/sbin:/usr/sbin" },
                { "/sbin:/usr/sbin:/usr/local/sbin", "/sbin:/usr/sbin:/usr/local/sbin" },
                { "/usr/sbin/more::", "/usr/sbin/more:::/usr/local/sbin:/usr/sbin:/sbin" },
        };
        auto_free char *before = xstrdup(getenv("PATH"));
        for (size_t i = 0; i < lengthof(paths); i++) {
                setenv("PATH", paths[i][0], 1);
                run_extend_path();
                EXPECT_TEXT(getenv("PATH"), paths[i][1]);
                run_extend_path();
                EXPECT_TEXT(getenv("PATH"), paths[i][1]);
        }
        setenv("PATH", before, 1);
}

int main(void) {
        RUN(plain_users_find_administrators_programs);
        RUN(errors_chain_and_keep_their_kind);
        RUN(a_failure_without_a_reason_is_a_defect);
        RUN(a_full_disk_is_told_apart);
        RUN(exit_codes_are_unique);
        RUN(a_buffer_stops_at_its_maximum);
        RUN(arrays_grow_across_every_power_of_two);
        RUN(an_arena_holds_large_and_small);
        RUN(atomic_writes_replace_and_leave_nothing);
        RUN(links_of_an_image_stay_inside_it);
        RUN(trees_with_closed_directories_are_removed);
        RUN(trees_of_any_depth_are_removed_with_few_descriptors);
        RUN(walks_of_deep_trees_are_refused);
        RUN(walks_are_sorted_and_can_be_cut);
        RUN(paths_that_climb_are_unsafe);
        RUN(a_program_is_fed_and_read);
        RUN(a_failing_program_is_quoted);
        RUN(a_status_can_be_asked_for);
        RUN(digests_match_the_standard);
        RUN(a_digest_goes_on_from_its_state);
        RUN(parallel_work_ends_at_the_first_error);
        RUN(urls_of_paths_are_escaped);
        RUN(only_what_is_printable_is_printed);
        return test_done();
}
