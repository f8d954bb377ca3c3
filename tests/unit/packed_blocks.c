// SPDX-License-Identifier: MIT
// Blocks of an image that was packed before: they save compressing, and never change a bit, whatever became of them.
#include "artefact/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artefact/image/block_index.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-blocks-XXXXXX";
static int top_fd = -1;
enum { EPOCH = 1450051200, BLOCK_BYTES = 131072 };
static const char maker[] = "this kiln";
static const char *compressor = "gzip";
static int level = 6;

// Bytes that compress to about half, the same on each call.
static void noise(char *to, size_t size, unsigned seed) {
        for (size_t i = 0; i < size; i++) {
                seed = seed * 1103515245 + 12345;
                to[i] = "0123456789abcdef"[seed >> 28];
        }
}

static void put(const char *path, size_t size, unsigned seed) {
        auto_free char *data = xmalloc(size + 1);
        noise(data, size, seed);
        EXPECT_OK(fs_mkdirs_for(top_fd, path, 0755, err) && fs_write(top_fd, path, data, size, 0644, err));
}

// Whole blocks, tails, two files that are the same, and one that no compressor makes smaller.
static void make_tree(void) {
        char random[BLOCK_BYTES];
        put("tree/a", 3 * BLOCK_BYTES + 1000, 1);
        put("tree/b", 2 * BLOCK_BYTES, 2);
        put("tree/copy of a", 3 * BLOCK_BYTES + 1000, 1);
        for (unsigned i = 0; i < 40; i++) {
                auto_free char *path = xasprintf("tree/many/%u", i);
                put(path, 7000 + i, 10 + i);
        }
        unsigned seed = 5;
        for (size_t i = 0; i < sizeof random; i++) {
                seed = seed * 1664525 + 1013904223;
                random[i] = (char)(seed >> 24);
        }
        EXPECT_OK(fs_write(top_fd, "tree/random", random, sizeof random, 0644, err));
}

static void pack(const char *name, struct block_cache *blocks) {
        struct image_options options = { compressor, level, BLOCK_BYTES, EPOCH, 2, blocks, NULL };
        auto_buf files = { 0 };
        auto_close int root = -1;
        auto_close int fd = -1;
        EXPECT_OK(fs_open_dir(top_fd, "tree", &root, err) &&
                  fs_open(top_fd, name, O_RDWR | O_CREAT | O_TRUNC, 0644, &fd, err) &&
                  image_write(&options, root, fd, &files, err));
}

static int open_image(const char *name) {
        int fd = -1;
        EXPECT_OK(fs_open(top_fd, name, O_RDONLY, 0, &fd, err));
        return fd;
}

static void expect_same_image(const char *name) {
        char sha256[DIGEST_HEX_SIZE], expected[DIGEST_HEX_SIZE];
        EXPECT_OK(digest_file("sha256", top_fd, name, sha256, err));
        EXPECT_OK(digest_file("sha256", top_fd, "alone", expected, err));
        EXPECT_TEXT(sha256, expected);
}

// The image "first" with its index.
static struct buf first_index;
static struct block_counts first_counts;

static void pack_first(void) {
        struct block_cache *blocks = block_cache_new(maker);
        buf_release(&first_index);
        pack("alone", NULL);
        pack("first", blocks);
        first_counts = block_cache_counts(blocks);
        block_cache_finish(blocks, open_image("first"), &first_index);
        block_cache_free(blocks);
        expect_same_image("first");
}

// Packs the tree after an image with an index; returns what was found there.
static struct block_counts pack_after(const char *image, const struct buf *index, bool is_index) {
        struct block_cache *blocks = block_cache_new(maker);
        auto_close int fd = open_image(image);
        bool is_taken = block_cache_add_image(blocks, index, fd);
        EXPECT(is_taken == is_index);
        if (is_taken)
                (void)take_fd(fd);
        pack("second", blocks);
        struct block_counts counts = block_cache_counts(blocks);
        block_cache_free(blocks);
        expect_same_image("second");
        return counts;
}

static struct block_place *first_places(size_t *ret_count) {
        struct block_place *places = block_index_parse(&first_index, maker, ret_count);
        EXPECT(*ret_count >= 7);
        if (!places) {
                printf("Bail out! the image has no index\n");
                exit(1);
        }
        return places;
}

static void blocks_of_an_earlier_image_are_not_compressed_again(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        struct block_counts counts = pack_after("first", &first_index, true);
        EXPECT(first_counts.found == 0);
        EXPECT(counts.found >= count);
        EXPECT(counts.found + counts.compressed == first_counts.compressed);
}

static void every_place_of_an_index_holds_its_block(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        auto_close int fd = open_image("first");
        for (size_t i = 0; i < count; i++) {
                char sum[BLOCK_SUM_SIZE];
                auto_free char *data = xmalloc(places[i].size);
                EXPECT(pread(fd, data, places[i].size, (off_t)places[i].offset) == (ssize_t)places[i].size);
                block_sum(data, places[i].size, sum);
                EXPECT_TEXT(sum, places[i].sum);
        }
}

// Two images after each other, of one build: the second finds the first one's blocks, and its index is the same.
static void an_image_finds_the_blocks_of_the_one_before(void) {
        struct block_cache *blocks = block_cache_new(maker);
        auto_buf one = { 0 };
        auto_buf two = { 0 };
        pack("one", blocks);
        block_cache_finish(blocks, open_image("one"), &one);
        pack("two", blocks);
        EXPECT(block_cache_counts(blocks).found >= 7);
        block_cache_finish(blocks, open_image("two"), &two);
        block_cache_free(blocks);
        expect_same_image("two");
        EXPECT_TEXT(buf_text(&two), buf_text(&one));
}

static void an_image_that_was_not_finished_is_forgotten(void) {
        struct block_cache *blocks = block_cache_new(maker);
        auto_buf index = { 0 };
        pack("one", blocks);
        pack("two", blocks);
        EXPECT(block_cache_counts(blocks).found == 0);
        block_cache_finish(blocks, open_image("two"), &index);
        block_cache_free(blocks);
        EXPECT_TEXT(buf_text(&index), buf_text(&first_index));
}

static bool is_index(const char *data, size_t size) {
        auto_buf text = { 0 };
        size_t count;
        buf_append(&text, data, size);
        auto_free struct block_place *places = block_index_parse(&text, maker, &count);
        EXPECT(places || count == 0);
        return places != NULL;
}

static void an_index_with_any_other_bit_is_none(void) {
        auto_free char *data = xmalloc(first_index.size + 1);
        memcpy(data, first_index.data, first_index.size);
        EXPECT(is_index(data, first_index.size));
        for (size_t i = 0; i < first_index.size * 8; i++) {
                data[i / 8] ^= (char)(1 << (i % 8));
                EXPECT(!is_index(data, first_index.size));
                data[i / 8] ^= (char)(1 << (i % 8));
        }
        for (size_t length = 0; length < first_index.size; length++)
                EXPECT(!is_index(data, length));
        data[first_index.size] = '\n';
        EXPECT(!is_index(data, first_index.size + 1));
}

static void another_makers_index_is_none(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        auto_buf index = { 0 };
        block_index_format(places, count, "this kil", &index);
        EXPECT(pack_after("first", &index, false).found == 0);
}

// Somebody sealed it again: what it says of one block is wrong.
static void a_wrong_line_changes_no_bit(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        for (size_t i = 0; i < count; i++) {
                const struct block_place right = places[i], *other = &places[(i + 1) % count];
                struct block_place wrong[] = { right, right, right, right, right, *other };
                wrong[0].offset++;
                wrong[1].offset = (uint64_t)INT64_MAX;
                wrong[2].size--;
                wrong[3].size = UINT32_MAX;
                wrong[4].sum[0] = wrong[4].sum[0] == '0' ? '1' : '0';
                memcpy(wrong[5].key, right.key, sizeof right.key); // another block's place
                for (size_t j = 0; j < lengthof(wrong); j++) {
                        auto_free struct block_place *changed = xcalloc(count, sizeof *changed);
                        auto_buf index = { 0 };
                        memcpy(changed, places, count * sizeof *changed);
                        changed[i] = wrong[j];
                        block_index_format(changed, count, maker, &index);
                        struct block_counts counts = pack_after("first", &index, true);
                        EXPECT(counts.found + counts.compressed == first_counts.compressed);
                        EXPECT(counts.found >= count - 1);
                }
        }
}

// Of each block, one bit of the first byte, of one in the middle, of the last one, and of the last byte before the
// checksum of the content, which mostly is none of the content: unpacking does not notice it.
static void a_damaged_block_is_compressed_again(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        EXPECT_OK(run_command(err, "sh", "-c", "cp $1/first $1/damaged", "sh", top, NULL));
        auto_close int fd = openat(top_fd, "damaged", O_RDWR | O_CLOEXEC);
        for (size_t i = 0; i < count * 4; i++) {
                const struct block_place *place = &places[i / 4];
                const uint32_t within[] = { 0, place->size / 2, place->size - 1, place->size - 5 };
                const off_t offset = (off_t)(place->offset + within[i % 4]);
                char byte;
                EXPECT(pread(fd, &byte, 1, offset) == 1);
                char flipped = (char)(byte ^ 0x80);
                EXPECT(pwrite(fd, &flipped, 1, offset) == 1);
                struct block_counts counts = pack_after("damaged", &first_index, true);
                EXPECT(counts.found > 0 && counts.found < first_counts.compressed);
                EXPECT(counts.found + counts.compressed == first_counts.compressed);
                EXPECT(pwrite(fd, &byte, 1, offset) == 1);
        }
}

// Compressed in another way, and sealed so: the content counts, and another content never gets in.
static void a_block_of_another_content_is_refused(void) {
        size_t count;
        auto_free struct block_place *places = first_places(&count);
        auto_buf index = { 0 };
        char key[BLOCK_KEY_SIZE];
        memcpy(key, places[0].key, sizeof key);
        for (size_t i = 0; i + 1 < count; i++) // each has the next one's key, and its own bytes with their sum
                memcpy(places[i].key, places[i + 1].key, sizeof key);
        memcpy(places[count - 1].key, key, sizeof key);
        block_index_format(places, count, maker, &index);
        EXPECT(pack_after("first", &index, true).found == 0);
}

static void an_image_that_is_short_or_no_file_is_no_help(void) {
        EXPECT_OK(run_command(err, "sh", "-c", "head -c 100 $1/first > $1/short", "sh", top, NULL));
        EXPECT(pack_after("short", &first_index, true).found == 0);
        EXPECT(pack_after("tree", &first_index, true).found == 0);
}

// libsquashfs' own.
static void other_compressors_blocks_are_kept_too(void) {
        static const struct {
                const char *name;
                int level;
        } others[] = { { "zstd", 15 }, { "xz", 0 } };
        for (size_t i = 0; i < lengthof(others); i++) {
                compressor = others[i].name;
                level = others[i].level;
                pack_first();
                blocks_of_an_earlier_image_are_not_compressed_again();
                an_image_finds_the_blocks_of_the_one_before();
                a_damaged_block_is_compressed_again();
                a_block_of_another_content_is_refused();
        }
}

// With an index of another compressor's image, nothing is found.
static void blocks_of_another_compressor_or_level_are_not_taken(void) {
        compressor = "zstd";
        level = 3;
        pack_first();
        level = 15;
        pack("alone", NULL);
        EXPECT(pack_after("first", &first_index, true).found == 0);
        compressor = "gzip";
        level = 6;
        pack("alone", NULL);
        EXPECT(pack_after("first", &first_index, true).found == 0);
}

int main(void) {
        umask(022);
        if (!mkdtemp(top))
                return 1;
        top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_tree();
        pack_first();
        RUN(blocks_of_an_earlier_image_are_not_compressed_again);
        RUN(every_place_of_an_index_holds_its_block);
        RUN(an_image_finds_the_blocks_of_the_one_before);
        RUN(an_image_that_was_not_finished_is_forgotten);
        RUN(an_index_with_any_other_bit_is_none);
        RUN(another_makers_index_is_none);
        RUN(a_wrong_line_changes_no_bit);
        RUN(a_damaged_block_is_compressed_again);
        RUN(a_block_of_another_content_is_refused);
        RUN(an_image_that_is_short_or_no_file_is_no_help);
        RUN(other_compressors_blocks_are_kept_too);
        RUN(blocks_of_another_compressor_or_level_are_not_taken);
        buf_release(&first_index);
        auto_err ignored = { 0 };
        (void)!fs_remove_tree(AT_FDCWD, top, &ignored);
        return test_done();
}
