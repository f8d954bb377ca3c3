// SPDX-License-Identifier: MIT
// Archives of several members, each compressed in its own way, and what damaged ones are told to be.
#include "compare/compare.h"
#include "compare/compare_newc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artefact/initrd/cpio.h"
#include "artefact/initrd/initrd_part.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/test.h"

enum { MEMBERS = 4, BIG_BYTES = 300000, ROUNDS = 300 };

static char directory[] = "/tmp/kiln-compare-XXXXXX";
static int dir = -1;

// One member: a directory and two files, the second of which ends with `last`.
static void make_member(int number, char last, struct buf *ret, struct err *err) {
        auto_free char *folder = xasprintf("m%d", number), *small = xasprintf("m%d/small", number);
        auto_free char *big = xasprintf("m%d/big", number);
        auto_free char *data = xmalloc(BIG_BYTES);
        for (int i = 0; i < BIG_BYTES; i++)
                data[i] = (char)("compare"[i % 7] + (i >> 9) % 5);
        data[BIG_BYTES - 1] = last;
        struct cpio_entry entries[] = {
                { .path = folder, .mode = S_IFDIR | 0755 },
                { .path = small, .mode = S_IFREG | 0644, .data = "small\n", .size = 6 },
                { .path = big, .mode = S_IFREG | 0600, .uid = 7, .data = data, .size = BIG_BYTES },
        };
        struct cpio *cpio = cpio_new(1000, ret);
        for (size_t i = 0; i < lengthof(entries); i++)
                EXPECT(cpio_add(cpio, &entries[i], err));
        EXPECT(cpio_finish(cpio, err));
        cpio_free(cpio);
}

// The first member is plain; member `changed` differs in the last byte of its large file.
static void make_archive(const char *name, int changed) {
        static const char *const compressors[MEMBERS] = { NULL, "gzip", "xz", "zstd" };
        auto_buf all = { 0 };
        auto_err err = { 0 };
        for (int i = 0; i < MEMBERS; i++) {
                auto_buf member = { 0 };
                make_member(i, i == changed ? 'y' : 'x', &member, &err);
                if (!compressors[i]) {
                        buf_append(&all, member.data, member.size);
                        buf_append_zeros(&all, (512 - all.size % 512) % 512);
                        continue;
                }
                EXPECT(initrd_part_write(compressors[i], &member, 4096, dir, "part", &err));
                EXPECT(fs_read(dir, "part", &all, &err) && unlinkat(dir, "part", 0) == 0);
        }
        EXPECT(fs_write_atomic(dir, name, all.data, all.size, 0644, &err));
}

static char *difference(const char *name, const char *expected, const char *found) {
        auto_close int left = -1, right = -1;
        struct buf text = { 0 };
        auto_err err = { 0 };
        EXPECT(fs_open(dir, expected, O_RDONLY, 0, &left, &err) && fs_open(dir, found, O_RDONLY, 0, &right, &err));
        struct compared files = { name, left, right };
        EXPECT(compare_contents(&files, &text, &err));
        EXPECT_TEXT(err.text ? err.text : "", "");
        buf_append(&text, "", 0);
        return text.data ? buf_take(&text) : xstrdup("");
}

static void members_of_every_compressor_are_read(void) {
        make_archive("same", -1);
        for (int i = 0; i < MEMBERS; i++) {
                make_archive("changed", i);
                auto_free char *text = difference("role/initrd.img", "same", "changed");
                auto_free char *wanted = xasprintf("/m%d/big: content differs at byte %d", i, BIG_BYTES - 1);
                EXPECT_TEXT(text, wanted);
        }
        auto_free char *none = difference("role/initrd.img", "same", "same");
        EXPECT_TEXT(none, "");
}

static void a_file_is_found_in_any_member(void) {
        for (int i = 0; i < MEMBERS; i++) {
                auto_close int fd = -1;
                auto_buf text = { 0 };
                auto_free char *path = xasprintf("m%d/small", i);
                bool found = false;
                EXPECT_OK(fs_open(dir, "same", O_RDONLY, 0, &fd, err));
                EXPECT_OK(newc_read_file(fd, path, &text, &found, err));
                EXPECT(found);
                EXPECT_TEXT(buf_text(&text), "small\n");
                EXPECT_OK(newc_read_file(fd, "m9/small", &text, &found, err));
                EXPECT(!found);
        }
}

static void write_text(const char *name, const char *text) {
        EXPECT_OK(fs_write_atomic(dir, name, text, strlen(text), 0644, err));
}

static void text_is_told_by_line_and_end(void) {
        write_text("left", "one\ntwo\nthree\n");
        write_text("right", "one\ntwo\nthree\nfour\n");
        write_text("other", "one\nTwo\nthree\n");
        auto_free char *longer = difference("boot.ipxe", "left", "right"),
                       *line = difference("boot.ipxe", "left", "other");
        EXPECT_TEXT(longer, "one of the two ends at byte 14, line 4");
        EXPECT_TEXT(line, "content differs at byte 4, line 2");
}

static void json_is_told_by_key(void) {
        write_text("left", "{\"a\":{\"b\":[{\"path\":\"x\",\"n\":1},2]},\"c\":null}");
        write_text("right", "{\"a\":{\"b\":[{\"path\":\"x\",\"n\":3},2]},\"c\":null}");
        write_text("other", "{\"a\":{\"b\":[{\"path\":\"x\",\"n\":1},2,[]]},\"c\":null}");
        write_text("less", "{\"a\":{\"b\":[{\"path\":\"x\",\"n\":1},2]}}");
        auto_free char *value = difference("m.json", "left", "right"), *longer = difference("m.json", "left", "other");
        auto_free char *key = difference("m.json", "left", "less");
        EXPECT_TEXT(value, ".a.b[x].n: 3, expected 1");
        EXPECT_TEXT(longer, ".a.b[2]: [], expected nothing");
        EXPECT_TEXT(key, ".c: nothing, expected null");
}

// Whatever bytes there are, a difference is found and said, and nothing else happens.
static void any_damage_is_a_difference(void) {
        auto_buf whole = { 0 };
        EXPECT_OK(fs_read(dir, "same", &whole, err));
        srandom(1);
        for (int i = 0; i < ROUNDS && test_bad == 0; i++) {
                auto_buf damaged = { 0 };
                size_t size = i % 4 ? whole.size : (size_t)random() % whole.size;
                buf_append(&damaged, whole.data, size);
                size_t from = i % 2 || size < 2000 ? 0 : size - 2000,
                       room = i % 3 ? size - from : (size < 400 ? size : 400);
                for (int j = 0; j < 3 && room > 0; j++)
                        damaged.data[from + (size_t)random() % (room < size - from ? room : size - from)] ^=
                            (char)(1 + random() % 255);
                EXPECT_OK(fs_write_atomic(dir, "damaged", buf_text(&damaged), damaged.size, 0644, err));
                auto_free char *text = difference("initrd.img", "same", "damaged");
                EXPECT(*text || (damaged.size == whole.size && memcmp(damaged.data, whole.data, whole.size) == 0));
        }
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(directory) || !fs_open_dir(AT_FDCWD, directory, &dir, &err))
                return 1;
        RUN(members_of_every_compressor_are_read);
        RUN(a_file_is_found_in_any_member);
        RUN(text_is_told_by_line_and_end);
        RUN(json_is_told_by_key);
        RUN(any_damage_is_a_difference);
        close(dir);
        if (!fs_remove_tree(AT_FDCWD, directory, &err))
                return 1;
        return test_done();
}
