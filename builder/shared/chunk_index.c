// SPDX-License-Identifier: MIT
#include "shared/chunk_index.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FORMAT_INDEX 0x96824d9c7b129ff9ULL
#define FORMAT_TABLE 0xe75b9e112f17417dULL
#define FORMAT_TAIL 0x4b4f050e5549ecd1ULL
#define FLAG_SHA512_256 0x2000000000000000ULL // of chunks; otherwise it is SHA-256
// What casync says of a blob, too: files with the nodump attribute and those that .caexclude names are left out.
#define FLAGS_WRITTEN 0x9000000000000000ULL

// Numbers of 64 bits, and places of them.
enum { NUMBER_BYTES = 8, HEAD_NUMBERS = 8, TAIL_NUMBERS = 5, TABLE_PLACE = 48 };
enum {
        HEAD_BYTES = HEAD_NUMBERS * NUMBER_BYTES,
        TAIL_BYTES = TAIL_NUMBERS * NUMBER_BYTES,
        ITEM_BYTES = NUMBER_BYTES + CHUNK_DIGEST_BYTES,
};
_Static_assert(HEAD_BYTES + ITEM_BYTES * CHUNK_INDEX_MAX_CHUNKS + TAIL_BYTES == CHUNK_INDEX_MAX_BYTES,
               "the largest index is one with the most chunks");

// Of the table: its own two numbers, the chunks, and the tail.
static uint64_t table_bytes(size_t chunks) {
        return HEAD_BYTES - TABLE_PLACE + (uint64_t)chunks * ITEM_BYTES + TAIL_BYTES;
}

static uint64_t number_at(const uint8_t *bytes, size_t place) {
        uint64_t number;
        memcpy(&number, bytes + place * NUMBER_BYTES, sizeof number);
        return le64toh(number);
}

static bool has_numbers(const uint8_t *bytes, const uint64_t *numbers, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (number_at(bytes, i) != numbers[i])
                        return false;
        return true;
}

// ---- reading ----

static bool check_head(const uint8_t *bytes, struct err *err) {
        static const uint64_t start[] = { TABLE_PLACE, FORMAT_INDEX };
        static const uint64_t sizes[] = { CHUNK_MIN_BYTES, CHUNK_AVERAGE_BYTES, CHUNK_MAX_BYTES };
        static const uint64_t table[] = { UINT64_MAX, FORMAT_TABLE };
        if (!has_numbers(bytes, start, lengthof(start)))
                return fail(err, ERR_CORRUPT, 0, "the index of chunks does not begin as one");
        if (number_at(bytes, 2) & FLAG_SHA512_256)
                return fail(err, ERR_CORRUPT, 0, "the index of chunks has digests that are no SHA-256");
        if (!has_numbers(bytes + 3 * NUMBER_BYTES, sizes, lengthof(sizes)))
                return fail(err, ERR_CORRUPT, 0, "the index of chunks is cut by other sizes than %d, %d and %d bytes",
                            CHUNK_MIN_BYTES, CHUNK_AVERAGE_BYTES, CHUNK_MAX_BYTES);
        return has_numbers(bytes + TABLE_PLACE, table, lengthof(table)) ||
               fail(err, ERR_CORRUPT, 0, "the index of chunks has no table of them");
}

static bool check_tail(const uint8_t *bytes, size_t chunks, struct err *err) {
        const uint64_t tail[TAIL_NUMBERS] = { 0, 0, TABLE_PLACE, table_bytes(chunks), FORMAT_TAIL };
        return has_numbers(bytes, tail, lengthof(tail)) ||
               fail(err, ERR_CORRUPT, 0, "the index of chunks does not end as one");
}

static bool read_chunk_items(const uint8_t *items, size_t count, struct chunk_index *index, struct err *err) {
        for (size_t i = 0; i < count; i++, items += ITEM_BYTES) {
                uint64_t end = number_at(items, 0);
                uint64_t least = CHUNK_MIN_BYTES;
                if (i + 1 == count)
                        least = 1;
                bool is_in_order = end > index->size_bytes;
                uint64_t size = end - index->size_bytes;
                if (!is_in_order || size < least || size > CHUNK_MAX_BYTES)
                        return fail(err, ERR_CORRUPT, 0, "chunk %zu of the index goes from byte %llu to %llu", i,
                                    (unsigned long long)index->size_bytes, (unsigned long long)end);
                struct chunk *chunk = &index->chunks[i];
                chunk->offset = index->size_bytes;
                chunk->size = (uint32_t)size;
                memcpy(chunk->digest, items + NUMBER_BYTES, sizeof chunk->digest);
                index->size_bytes = end;
        }
        index->n = count;
        return true;
}

bool chunk_index_read(const void *bytes, size_t size, struct chunk_index *ret, struct err *err) {
        assert(bytes || size == 0);
        if (size < HEAD_BYTES + TAIL_BYTES || (size - HEAD_BYTES - TAIL_BYTES) % ITEM_BYTES != 0)
                return fail(err, ERR_CORRUPT, 0, "the index of chunks is cut short: it has %zu bytes", size);
        size_t count = (size - HEAD_BYTES - TAIL_BYTES) / ITEM_BYTES;
        if (count > CHUNK_INDEX_MAX_CHUNKS)
                return fail(err, ERR_CORRUPT, 0, "the index has %zu chunks, more than %d", count,
                            CHUNK_INDEX_MAX_CHUNKS);
        const uint8_t *items = (const uint8_t *)bytes + HEAD_BYTES;
        if (!check_head(bytes, err) || !check_tail(items + count * ITEM_BYTES, count, err))
                return false;
        struct chunk_index index = { .chunks = xcalloc(count + 1, sizeof *index.chunks) };
        if (!read_chunk_items(items, count, &index, err)) {
                chunk_index_release(&index);
                return false;
        }
        *ret = index;
        return true;
}

// ---- writing ----

bool chunk_index_append(struct chunk_index *index, uint32_t size, const uint8_t digest[static CHUNK_DIGEST_BYTES],
                        struct err *err) {
        assert(size > 0 && size <= CHUNK_MAX_BYTES);
        if (index->n == CHUNK_INDEX_MAX_CHUNKS)
                return fail(err, ERR_REFERENCE, 0, "it has more than %d chunks", CHUNK_INDEX_MAX_CHUNKS);
        struct chunk *chunk = array_append(&index->chunks, &index->n);
        chunk->offset = index->size_bytes;
        chunk->size = size;
        memcpy(chunk->digest, digest, sizeof chunk->digest);
        index->size_bytes += size;
        return true;
}

static void append_numbers(struct buf *buf, const uint64_t *numbers, size_t count) {
        for (size_t i = 0; i < count; i++) {
                uint64_t number = htole64(numbers[i]);
                buf_append(buf, &number, sizeof number);
        }
}

void chunk_index_format(const struct chunk_index *index, struct buf *ret) {
        static const uint64_t head[HEAD_NUMBERS] = { TABLE_PLACE,     FORMAT_INDEX,        FLAGS_WRITTEN,
                                                     CHUNK_MIN_BYTES, CHUNK_AVERAGE_BYTES, CHUNK_MAX_BYTES,
                                                     UINT64_MAX,      FORMAT_TABLE };
        const uint64_t tail[TAIL_NUMBERS] = { 0, 0, TABLE_PLACE, table_bytes(index->n), FORMAT_TAIL };
        append_numbers(ret, head, lengthof(head));
        for (size_t i = 0; i < index->n; i++) {
                const uint64_t end = index->chunks[i].offset + index->chunks[i].size;
                append_numbers(ret, &end, 1);
                buf_append(ret, index->chunks[i].digest, CHUNK_DIGEST_BYTES);
        }
        append_numbers(ret, tail, lengthof(tail));
}

void chunk_index_release(struct chunk_index *index) {
        free(index->chunks);
        *index = (struct chunk_index){ 0 };
}
