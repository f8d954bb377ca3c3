// SPDX-License-Identifier: MIT
// A file on its way is published whole and verified, or not at all; what is left of it is gone on with.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "packages/fetch/partial.h"
#include "packages/fetch/transfer.h"
#include "tests/unit/test.h"

#define CONTENT "abc"
#define SHA256_OF_CONTENT "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char top[] = "/tmp/kiln-partial-XXXXXX";
static char path[sizeof top + 8], part[sizeof top + 16];

static struct transfer known(void) {
        return (struct transfer){
                .path = path, .checksum_type = "sha256", .checksum = SHA256_OF_CONTENT, .size_bytes = strlen(CONTENT)
        };
}

static bool is_there(const char *name) { return access(name, F_OK) == 0; }

static void put(const char *name, const char *content) {
        EXPECT_OK(fs_write_atomic(AT_FDCWD, name, content, strlen(content), 0644, err));
}

// As another process does, which holds no lock.
static void lengthen(const char *name) {
        auto_close int fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
        EXPECT(fd >= 0 && write(fd, "x", 1) == 1);
}

static void is_published_whole(void) {
        const struct transfer transfer = known();
        struct partial partial;
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT_OK(partial_append(&partial, CONTENT, strlen(CONTENT), err));
        EXPECT(is_there(part) && !is_there(path));
        EXPECT_OK(partial_check(&partial, err) && partial_publish(&partial, err));
        partial_close(&partial);
        EXPECT(is_there(path) && !is_there(part));
        unlink(path);
}

static void what_grew_since_its_check_is_not_published(void) {
        const struct transfer transfer = known();
        struct partial partial;
        struct err error = { 0 };
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT_OK(partial_append(&partial, CONTENT, strlen(CONTENT), err));
        EXPECT_OK(partial_check(&partial, err));
        lengthen(part);
        EXPECT(!partial_publish(&partial, &error) && error.kind == ERR_CORRUPT);
        EXPECT(error.text && strstr(error.text, "changed while it was fetched") != NULL);
        partial_forget(&partial);
        partial_close(&partial);
        EXPECT(!is_there(path) && !is_there(part));
        err_release(&error);
}

static void what_shrank_since_its_check_is_not_published(void) {
        const struct transfer transfer = known();
        struct partial partial;
        struct err error = { 0 };
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT_OK(partial_append(&partial, CONTENT, strlen(CONTENT), err));
        EXPECT_OK(partial_check(&partial, err));
        EXPECT(truncate(part, 1) == 0);
        EXPECT(!partial_publish(&partial, &error) && error.kind == ERR_CORRUPT);
        partial_forget(&partial);
        partial_close(&partial);
        EXPECT(!is_there(path));
        err_release(&error);
}

static void what_is_too_short_is_told_as_that(void) {
        const struct transfer transfer = known();
        struct partial partial;
        struct err error = { 0 };
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT_OK(partial_append(&partial, CONTENT, 2, err));
        EXPECT(!partial_check(&partial, &error) && error.kind == ERR_CORRUPT);
        EXPECT(error.text && strstr(error.text, "2 of 3 bytes") != NULL);
        partial_close(&partial);
        EXPECT(is_there(part)); // for the next kiln
        unlink(part);
        err_release(&error);
}

static void what_is_left_is_gone_on_with_and_hashed_again(void) {
        const struct transfer transfer = known();
        struct partial partial;
        struct err error = { 0 };
        put(part, "ab");
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT(partial.size == 2);
        EXPECT_OK(partial_append(&partial, "c", 1, err));
        EXPECT_OK(partial_check(&partial, err) && partial_publish(&partial, err));
        partial_close(&partial);
        unlink(path);
        put(part, "aX");
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT_OK(partial_append(&partial, "c", 1, err));
        EXPECT(!partial_check(&partial, &error) && error.kind == ERR_CHECKSUM);
        partial_forget(&partial);
        partial_close(&partial);
        EXPECT(!is_there(part) && !is_there(path));
        err_release(&error);
}

static void what_cannot_be_part_of_it_is_begun_anew(void) {
        struct transfer transfer = known();
        struct partial partial;
        put(part, "longer than it can be");
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT(partial.size == 0);
        partial_close(&partial);
        EXPECT(!is_there(part));
        put(part, "ab"); // of a file whose checksum nobody knows
        transfer.checksum = NULL;
        EXPECT_OK(partial_open(&partial, &transfer, err));
        EXPECT(partial.size == 0);
        partial_close(&partial);
        EXPECT(!is_there(part));
}

static void who_comes_second_uses_a_name_of_its_own(void) {
        const struct transfer transfer = known();
        struct partial first, second;
        EXPECT_OK(partial_open(&first, &transfer, err));
        EXPECT_OK(partial_open(&second, &transfer, err));
        EXPECT(strcmp(first.path, part) == 0 && strcmp(second.path, part) != 0);
        partial_close(&second);
        EXPECT(is_there(part));
        partial_close(&first);
}

static void a_sweep_leaves_what_can_be_gone_on_with(void) {
        auto_free char *of_killed = xasprintf("%s.12345", part);
        auto_free char *other = xasprintf("%s/other.part", top);
        auto_free char *whole = xasprintf("%s/other", top);
        put(part, "ab");
        put(of_killed, "ab");
        put(other, "ab");
        put(whole, "abc");
        partial_sweep(top);
        EXPECT(is_there(part) && is_there(whole) && !is_there(of_killed) && !is_there(other));
        unlink(part);
        unlink(whole);
}

int main(void) {
        if (!mkdtemp(top))
                return 1;
        snprintf(path, sizeof path, "%s/file", top);
        snprintf(part, sizeof part, "%s/file.part", top);
        RUN(is_published_whole);
        RUN(what_grew_since_its_check_is_not_published);
        RUN(what_shrank_since_its_check_is_not_published);
        RUN(what_is_too_short_is_told_as_that);
        RUN(what_is_left_is_gone_on_with_and_hashed_again);
        RUN(what_cannot_be_part_of_it_is_begun_anew);
        RUN(who_comes_second_uses_a_name_of_its_own);
        RUN(a_sweep_leaves_what_can_be_gone_on_with);
        rmdir(top);
        return test_done();
}
