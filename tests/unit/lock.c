// SPDX-License-Identifier: MIT
// Lock files: the writer's form and nothing else is read, and every refusal says where.
#include "tests/unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "selection/lock_file.h"

#include "tests/fuzz/lock.c"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEAD "kiln-lock 1\ncluster article\nrelease lab sha256:" A64 "\nprofile sha256:" A64 "\nroles db web\n\n"
#define PACKAGE(nevra, users) nevra " os 12 sha256:" A64 " " users "\n"

static void refuses(const char *text, const char *place, const char *message) {
        struct lock_file lock = { .path = "untouched" };
        auto_err error = { 0 };
        EXPECT(!lock_file_parse("x.lock", text, strlen(text), &lock, &error));
        EXPECT_TEXT(err_kind_name(error.kind), "SYNTAX");
        EXPECT_TEXT(lock.path, "untouched");
        auto_free char *wanted = xasprintf("x.lock:%s: %s", place, message);
        auto_free char *got = xstrndup(error.text ? error.text : "", strlen(wanted));
        EXPECT_TEXT(got, wanted);
        EXPECT(error.hint != NULL);
}

static void reads_what_it_says(void) {
        static const char text[] = "# a comment\n#\n" HEAD PACKAGE("a-b-32:9.9.4-29.el7.noarch", "@all,@base")
            PACKAGE("glibc-2.17-105.el7.x86_64", "web") PACKAGE("syslinux-4.05-12.x86_64", "@bootloader");
        struct lock_file lock = { 0 };
        EXPECT_OK(lock_file_parse("x", text, strlen(text), &lock, err));
        EXPECT(lock.count == 3 && lock.roles.count == 2);
        EXPECT_TEXT(lock.cluster, "article");
        EXPECT_TEXT(lock.release, "lab");
        EXPECT_TEXT(lock.packages[0].name, "a-b");
        EXPECT_TEXT(lock.packages[0].repository, "os");
        EXPECT_TEXT(lock.packages[0].checksum_type, "sha256");
        EXPECT_TEXT(lock.packages[0].checksum, A64);
        EXPECT(lock.packages[0].size_bytes == 12);
        EXPECT(lock_file_takes(&lock, 0, "db") && lock_file_takes(&lock, 0, "web") &&
               lock_file_takes(&lock, 0, LOCK_BASE) && !lock_file_takes(&lock, 0, LOCK_BOOTLOADER));
        EXPECT(!lock_file_takes(&lock, 1, "db") && lock_file_takes(&lock, 1, "web") &&
               !lock_file_takes(&lock, 1, LOCK_BASE));
        EXPECT(!lock_file_takes(&lock, 2, "db") && lock_file_takes(&lock, 2, LOCK_BOOTLOADER));
        EXPECT(!lock_file_takes(&lock, 0, "other")); // a role that the lock does not know
        auto_free char *written = lock_file_format(&lock);
        EXPECT(strstr(written, HEAD) && strstr(written, "\n\na-b-32:9.9.4-29.el7.noarch os 12 sha256:" A64));
        lock_file_release(&lock);
}

static void refuses_another_head(void) {
        refuses("", "1:1", "kiln-lock is missing");
        refuses("kiln-lock 2\n", "1:11", "format 2 is not known");
        refuses("kiln-lock 1\ncluster a b\n", "2:10", "the line should end here");
        refuses("kiln-lock 1\ncluster  a\n", "2:9", "the cluster's name is missing");
        refuses("kiln-lock 1\nrelease lab\n", "2:1", "`cluster` is expected here");
        refuses("kiln-lock 1\ncluster a\nrelease lab md5:00\n", "3:13", "a digest is expected here");
        refuses("kiln-lock 1\ncluster a\nrelease lab sha256:00\n", "3:20", "sha256 has 64");
        refuses("kiln-lock 1\r\n", "1:12", "the line should end here");
        refuses("<<<<<<< ours\n", "1:1", "`kiln-lock` is expected here");
}

static void refuses_packages_out_of_form(void) {
        refuses(HEAD "bash os 12 sha256:" A64 " web\n", "7:1", "`bash` is not a package");
        refuses(HEAD PACKAGE("bash-1.x86_64", "web"), "7:1", "`bash-1.x86_64` is not a package");
        refuses(HEAD PACKAGE("bash-x:1-1.x86_64", "web"), "7:1", "`bash-x:1-1.x86_64` is not a package");
        refuses(HEAD PACKAGE("../bash-1-1.x86_64", "web"), "7:1", "`../bash-1-1.x86_64` is not a package");
        refuses(HEAD "bash-1-1.x86_64 os 012 sha256:" A64 " web\n", "7:20", "`012` is not a size");
        refuses(HEAD "bash-1-1.x86_64 os -1 sha256:" A64 " web\n", "7:20", "`-1` is not a size");
        refuses(HEAD "bash-1-1.x86_64 ../os 1 sha256:" A64 " web\n", "7:17", "`../os` is not a name");
        refuses(HEAD "bash-1-1.x86_64 os 1\n", "7:21", "one space is expected here");
        refuses(HEAD PACKAGE("bash-1-1.x86_64", "wen"), "7:95", "there is no role `wen`; is web meant?");
        refuses(HEAD PACKAGE("bash-1-1.x86_64", "db,@all"), "7:98", "`@all` is out of order");
        refuses(HEAD PACKAGE("bash-1-1.x86_64", "@all,web"), "7:100", "@all says `web` already");
        refuses(HEAD PACKAGE("bash-1-1.x86_64", "db,db"), "7:98", "`db` is out of order");
        refuses(HEAD PACKAGE("bash-1-1.x86_64", "db,"), "7:98", "`` is not among the roles");
        refuses(HEAD PACKAGE("b-1-1.x", "web") PACKAGE("a-1-1.x", "web"), "8:1", "a-1-1.x is out of order");
        refuses(HEAD PACKAGE("b-1-1.x", "web") PACKAGE("b-1-1.x", "web"), "8:1", "b-1-1.x is out of order");
        refuses(HEAD "bash-1-1.x86_64 os 12 sha256:" A64 " web", "7:98", "the file ends in the middle of a line");
        refuses(HEAD "\n", "7:1", "a package is missing");
        refuses(HEAD "# late\n", "7:1", "`#` is not a package");
}

static void absent_file_is_no_error(void) {
        struct lock_file *lock = NULL;
        EXPECT_OK(lock_file_read("/nonexistent/x.lock", &lock, err));
        EXPECT(!lock);
        auto_err error = { 0 };
        EXPECT(!lock_file_read("/", &lock, &error));
}

static void lies_beside_the_cluster_file(void) {
        struct arena arena = { 0 };
        struct cluster cluster = { .path = "a.b/site.yaml", .release = { .name = "centos-7.2" } };
        EXPECT_TEXT(lock_file_path(&arena, &cluster), "a.b/site.centos-7.2.lock");
        cluster.path = "a.b/site";
        EXPECT_TEXT(lock_file_path(&arena, &cluster), "a.b/site.centos-7.2.lock");
        arena_release(&arena);
}

static void hashes_tell_what_decides_packages(void) {
        struct repository repository = { .name = "os", .priority = 99 };
        struct release release = { .arch = "x86_64", .repositories = &repository, .repository_count = 1 };
        char first[LOCK_HEX_SIZE], second[LOCK_HEX_SIZE];
        lock_hash_release(&release, first);
        repository.mirrorlist = "http://example.org/";
        lock_hash_release(&release, second);
        EXPECT_TEXT(second, first);
        repository.priority = 10;
        lock_hash_release(&release, second);
        EXPECT(strcmp(first, second) != 0);
        const char *packages[] = { "bash", "zsh" };
        struct role role = { .name = "web", .packages = { packages, 1 } };
        struct cluster cluster = { .roles = &role, .role_count = 1, .release = { .kernel_package = "kernel" } };
        lock_hash_profile(&cluster, first);
        role.packages.count = 2;
        lock_hash_profile(&cluster, second);
        EXPECT(strcmp(first, second) != 0);
}

// ---- the fuzzer's corpus, and mutations of it that are the same on every run ----

static uint32_t next_random(uint32_t *state) {
        *state = *state * 1664525 + 1013904223;
        return *state >> 8;
}

static void mutate(struct buf *input, uint32_t *state) {
        static const char pieces[] = " \n:,-.@#/0a\xff\t";
        for (uint32_t edits = 1 + next_random(state) % 3; edits > 0 && input->size > 0; edits--) {
                size_t at = next_random(state) % input->size;
                if (next_random(state) % 3 == 0) {
                        size_t cut = next_random(state) % (input->size - at);
                        memmove(input->data + at, input->data + at + cut, input->size - at - cut);
                        input->size -= cut;
                } else {
                        input->data[at] = pieces[next_random(state) % (sizeof pieces - 1)];
                }
        }
}

// A copy of exact size, so that a sanitizer sees reads past the end.
static void try_input(const struct buf *input) {
        uint8_t *data = xmalloc(input->size + !input->size);
        if (input->size > 0)
                memcpy(data, input->data, input->size);
        EXPECT(LLVMFuzzerTestOneInput(data, input->size) == 0);
        free(data);
}

static void corpus_is_replayed(void) {
        auto_closedir DIR *dir = opendir("tests/fuzz/lock.corpus");
        uint32_t state = 1;
        int seeds = 0;
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
                if (entry->d_name[0] == '.')
                        continue;
                auto_buf seed = { 0 };
                EXPECT_OK(fs_read(dirfd(dir), entry->d_name, &seed, err));
                try_input(&seed);
                for (int i = 0; i < 300; i++) {
                        auto_buf input = { 0 };
                        buf_append(&input, seed.data, seed.size);
                        mutate(&input, &state);
                        try_input(&input);
                }
                seeds++;
        }
        EXPECT(seeds >= 15);
}

int main(void) {
        RUN(reads_what_it_says);
        RUN(refuses_another_head);
        RUN(refuses_packages_out_of_form);
        RUN(absent_file_is_no_error);
        RUN(lies_beside_the_cluster_file);
        RUN(hashes_tell_what_decides_packages);
        RUN(corpus_is_replayed);
        return test_done();
}
