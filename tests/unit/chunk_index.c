// SPDX-License-Identifier: MIT
#include "shared/chunk_index.h"

#include <fcntl.h>
#include <unistd.h>

#include "artefact/image/image_chunks.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "shared/chunk_cutter.h"
#include "tests/unit/test.h"

enum { CONTENT_BYTES = 5000000, HEAD_BYTES = 64, ITEM_BYTES = 40, TAIL_BYTES = 40 };

static char top[] = "/tmp/kiln-chunks-XXXXXX";
static int top_fd = -1;
static uint8_t content[CONTENT_BYTES];

// The same bytes on each call, with a run of zeros that is longer than any chunk.
static void make_content(void) {
        uint32_t seed = 1;
        for (size_t i = 0; i < sizeof content; i++) {
                seed = seed * 1664525 + 1013904223;
                content[i] = (uint8_t)(seed >> 24);
        }
        memset(content + 2000000, 0, 900000);
}

static int file_of(const void *data, size_t size) {
        int fd = openat(top_fd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        EXPECT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        return fd;
}

static void index_text_of(const void *data, size_t size, struct buf *ret) {
        auto_close int fd = file_of(data, size);
        EXPECT_OK(image_chunks(fd, ret, err));
}

static void index_of(const void *data, size_t size, struct chunk_index *ret) {
        auto_buf text = { 0 };
        index_text_of(data, size, &text);
        EXPECT_OK(chunk_index_read(text.data, text.size, ret, err));
}

static void what_is_written_is_read(void) {
        auto_buf text = { 0 }, again = { 0 };
        auto_chunk_index index = { 0 };
        index_text_of(content, sizeof content, &text);
        EXPECT_OK(chunk_index_read(text.data, text.size, &index, err));
        EXPECT(index.size_bytes == sizeof content && index.n > 40);
        uint64_t end = 0;
        for (size_t i = 0; i < index.n; i++) {
                char expected[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE] = "";
                const struct chunk *chunk = &index.chunks[i];
                EXPECT(chunk->offset == end && chunk->size <= CHUNK_MAX_BYTES);
                EXPECT(chunk->size >= CHUNK_MIN_BYTES || i + 1 == index.n);
                digest_bytes("sha256", content + chunk->offset, chunk->size, expected);
                for (size_t j = 0; j < sizeof chunk->digest; j++)
                        snprintf(hex + 2 * j, 3, "%02x", chunk->digest[j]);
                EXPECT_TEXT(hex, expected);
                end += chunk->size;
        }
        chunk_index_format(&index, &again);
        EXPECT(again.size == text.size && memcmp(again.data, text.data, text.size) == 0);
}

// What casync 2+20201210 made of the content.
static void it_is_what_casync_made(void) {
        char sha256[DIGEST_HEX_SIZE];
        auto_buf text = { 0 };
        index_text_of(content, sizeof content, &text);
        digest_bytes("sha256", text.data, text.size, sha256);
        EXPECT_TEXT(sha256, "f0fb1f8ca28ed08061af5cc7990964ea3c9ac7a180101e3bd71bf2feb905d325");
}

static void it_is_what_casync_makes(void) {
        static const size_t sizes[] = { 1, 16383, 16384, 70000, CONTENT_BYTES };
        for (size_t i = 0; i < lengthof(sizes); i++) {
                auto_buf ours = { 0 }, theirs = { 0 };
                index_text_of(content, sizes[i], &ours);
                const char *const argv[] = { "casync",
                                             "make",
                                             "--digest=sha256",
                                             "--chunk-size=16384:65536:262144",
                                             "--store=store.castr",
                                             "peer.caibx",
                                             "file",
                                             NULL };
                EXPECT_OK(run(&(struct run){ .argv = argv, .dir = top, .output = &theirs }, err));
                buf_clear(&theirs);
                EXPECT_OK(fs_read(top_fd, "peer.caibx", &theirs, err));
                EXPECT(ours.size == theirs.size && memcmp(ours.data, theirs.data, ours.size) == 0);
        }
}

static void blocks_do_not_move_cuts(void) {
        static const size_t blocks[] = { 1, 7, 47, 48, 49, 4095, 16384, 65537 };
        auto_chunk_index index = { 0 };
        index_of(content, sizeof content, &index);
        for (size_t i = 0; i < lengthof(blocks); i++) {
                struct chunk_cutter cutter = { 0 };
                size_t next = 0, wrong = 0;
                for (size_t place = 0; place < sizeof content;) {
                        bool ends;
                        size_t size = size_min(blocks[i], sizeof content - place);
                        size_t taken = chunk_cutter_take(&cutter, content + place, size, &ends);
                        if (!ends && taken != size)
                                wrong++;
                        place += taken;
                        if (!ends)
                                continue;
                        if (next >= index.n || index.chunks[next].offset + index.chunks[next].size != place)
                                wrong++;
                        next++;
                }
                EXPECT(wrong == 0 && next >= index.n - 1);
        }
}

static size_t common_bytes(const struct chunk_index *one, const struct chunk_index *two) {
        size_t common = 0;
        for (size_t i = 0; i < two->n; i++)
                for (size_t j = 0; j < one->n; j++)
                        if (memcmp(one->chunks[j].digest, two->chunks[i].digest, CHUNK_DIGEST_BYTES) == 0) {
                                common += two->chunks[i].size;
                                break;
                        }
        return common;
}

static void an_insertion_leaves_the_rest(void) {
        auto_free uint8_t *longer = xmalloc(sizeof content + 100);
        auto_chunk_index before = { 0 }, after = { 0 };
        memcpy(longer, content, 1000000);
        memset(longer + 1000000, 'x', 100);
        memcpy(longer + 1000100, content + 1000000, sizeof content - 1000000);
        index_of(content, sizeof content, &before);
        index_of(longer, sizeof content + 100, &after);
        EXPECT(common_bytes(&before, &after) > sizeof content - 2 * CHUNK_MAX_BYTES);
}

static void nothing_has_no_chunks(void) {
        auto_chunk_index index = { 0 };
        index_of("", 0, &index);
        EXPECT(index.n == 0 && index.size_bytes == 0);
}

// ---- hostile ones ----

static void expect_refused(const void *bytes, size_t size, const char *says) {
        auto_err error = { 0 };
        auto_chunk_index index = { .n = 7 };
        bool is_read = chunk_index_read(bytes, size, &index, &error);
        EXPECT(!is_read && error.kind == ERR_CORRUPT);
        EXPECT(is_read || (index.n == 7 && !index.chunks)); // untouched
        if (!error.text || !strstr(error.text, says))
                EXPECT_TEXT(text_or(error.text, "no message"), says);
        index.n = 0;
}

static void every_shorter_one_is_refused(void) {
        auto_buf text = { 0 };
        index_text_of(content, 300000, &text);
        for (size_t size = 0; size < text.size; size++) {
                auto_free char *exact = xmalloc(size + 1); // so that a sanitizer sees what lies behind it
                memcpy(exact, text.data, size);
                expect_refused(exact, size, "the index of chunks ");
        }
        buf_append_char(&text, 0);
        expect_refused(text.data, text.size, "cut short");
}

static bool is_free(size_t place, size_t size) {
        bool is_flag = place >= 16 && place < 24;
        bool is_digest = place >= HEAD_BYTES && place < size - TAIL_BYTES && (place - HEAD_BYTES) % ITEM_BYTES >= 8;
        return is_flag || is_digest;
}

// What decides nothing may be anything, and so may an end that is still in bounds.
static void every_flipped_bit_is_refused_or_harmless(void) {
        auto_buf text = { 0 };
        index_text_of(content, 300000, &text);
        for (size_t place = 0; place < text.size; place++)
                for (unsigned bit = 0; bit < 8; bit++) {
                        auto_err error = { 0 };
                        auto_chunk_index index = { 0 };
                        text.data[place] ^= (char)(1 << bit);
                        bool is_end = place >= HEAD_BYTES && place < text.size - TAIL_BYTES;
                        bool is_read = chunk_index_read(text.data, text.size, &index, &error);
                        if (is_read)
                                EXPECT(is_free(place, text.size) || is_end);
                        uint64_t end = 0;
                        for (size_t i = 0; i < index.n; end += index.chunks[i++].size)
                                EXPECT(index.chunks[i].offset == end && index.chunks[i].size <= CHUNK_MAX_BYTES);
                        text.data[place] ^= (char)(1 << bit);
                }
}

static void what_is_wrong_is_said(void) {
        auto_buf text = { 0 };
        index_text_of(content, 300000, &text);
        const struct {
                size_t place;
                const char *says;
        } cases[] = {
                { 0, "does not begin as one" },
                { 8, "does not begin as one" },
                { 31, "is cut by other sizes than 16384, 65536 and 262144 bytes" },
                { 50, "has no table of them" },
                { HEAD_BYTES + 7, "chunk 0 of the index goes from byte 0 to " },
                { HEAD_BYTES + ITEM_BYTES + 5, "chunk 1 of the index goes from byte " },
                { text.size - 1, "does not end as one" },
                { text.size - 16, "does not end as one" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                text.data[cases[i].place] ^= 0x40;
                expect_refused(text.data, text.size, cases[i].says);
                text.data[cases[i].place] ^= 0x40;
        }
        text.data[23] |= 0x20;
        expect_refused(text.data, text.size, "digests that are no SHA-256");
}

static void too_many_are_refused(void) {
        auto_buf text = { 0 };
        buf_append_zeros(&text, CHUNK_INDEX_MAX_BYTES + ITEM_BYTES);
        expect_refused(text.data, text.size, "the index has 524289 chunks, more than 524288");
        auto_chunk_index full = { .n = CHUNK_INDEX_MAX_CHUNKS };
        auto_err error = { 0 };
        static const uint8_t digest[CHUNK_DIGEST_BYTES];
        EXPECT(!chunk_index_append(&full, 1, digest, &error) && error.kind == ERR_REFERENCE);
}

static bool has_casync(void) {
        const char *const argv[] = { "casync", "--version", NULL };
        auto_buf output = { 0 };
        auto_err absent = { 0 };
        return run(&(struct run){ .argv = argv, .output = &output }, &absent);
}

int main(void) {
        if (!mkdtemp(top) || (top_fd = open(top, O_DIRECTORY | O_CLOEXEC)) < 0)
                return 1;
        make_content();
        RUN(what_is_written_is_read);
        RUN(it_is_what_casync_made);
        if (has_casync())
                RUN(it_is_what_casync_makes);
        else
                SKIP(it_is_what_casync_makes, "casync is not installed");
        RUN(blocks_do_not_move_cuts);
        RUN(an_insertion_leaves_the_rest);
        RUN(nothing_has_no_chunks);
        RUN(every_shorter_one_is_refused);
        RUN(every_flipped_bit_is_refused_or_harmless);
        RUN(what_is_wrong_is_said);
        RUN(too_many_are_refused);
        struct err ignored = { 0 };
        (void)!fs_remove_tree(AT_FDCWD, top, &ignored);
        return test_done();
}
