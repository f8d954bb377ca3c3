// SPDX-License-Identifier: MIT
#include "firmware/node/roots/root_parts.h"

#include <assert.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

// A disk that fails takes long to say so, and an index may name half a million chunks that are not in its root.
enum { DAMAGED_MAX = 8 };

// ---- copying ----

struct assembly {
        const struct chunk_index *index;
        const struct chunk **by_digest; // the index's chunks
        bool *there;
        int to;
        uint64_t bytes;
        uint8_t *block; // CHUNK_MAX_BYTES
        size_t damaged; // chunks of the old root that is read
};

static int compare_chunks(const void *left, const void *right) {
        const struct chunk *const *first = left, *const *second = right;
        return memcmp((*first)->digest, (*second)->digest, CHUNK_DIGEST_BYTES);
}

// The first chunk in by_digest with this digest or a larger one.
static size_t first_with_digest(const struct assembly *assembly, const uint8_t *digest) {
        size_t low = 0, high = assembly->index->n;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (memcmp(assembly->by_digest[middle]->digest, digest, CHUNK_DIGEST_BYTES) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool read_chunk(int from, const struct chunk *chunk, uint8_t *block) {
        uint8_t found[SHA256_DIGEST_SIZE];
        struct sha256_ctx context;
        for (size_t done = 0; done < chunk->size;) {
                ssize_t got = pread(from, block + done, chunk->size - done, (off_t)(chunk->offset + done));
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return false;
                done += (size_t)got;
        }
        sha256_init(&context);
        sha256_update(&context, chunk->size, block);
        sha256_digest(&context, sizeof found, found);
        return memcmp(found, chunk->digest, sizeof found) == 0;
}

static bool put_chunk(const struct assembly *assembly, const struct chunk *chunk, struct err *err) {
        for (size_t done = 0; done < chunk->size;) {
                ssize_t written =
                    pwrite(assembly->to, assembly->block + done, chunk->size - done, (off_t)(chunk->offset + done));
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return fail(err, ERR_SYSTEM, errno, "write the root");
                done += (size_t)written;
        }
        return true;
}

// The same content may be in several places.
static bool take_chunk(struct assembly *assembly, int from, const struct chunk *old, struct err *err) {
        bool is_read = false;
        for (size_t at = first_with_digest(assembly, old->digest); at < assembly->index->n; at++) {
                const struct chunk *chunk = assembly->by_digest[at];
                size_t place = (size_t)(chunk - assembly->index->chunks);
                if (memcmp(chunk->digest, old->digest, CHUNK_DIGEST_BYTES) != 0 || chunk->size != old->size)
                        return true;
                if (assembly->there[place])
                        continue;
                if (!is_read && !read_chunk(from, old, assembly->block)) {
                        assembly->damaged++;
                        return true;
                }
                is_read = true;
                if (!put_chunk(assembly, chunk, err))
                        return false;
                assembly->there[place] = true;
                assembly->bytes += chunk->size;
        }
        return true;
}

// In the order of the old root, so that a disk with heads reads it in one go.
static bool take_from_root(struct assembly *assembly, const struct kept_roots *roots, const struct kept_root *root,
                           struct err *err) {
        auto_err problem = { 0 };
        auto_buf bytes = { 0 };
        auto_chunk_index old = { 0 };
        auto_close int fd = -1;
        bool has_index = false;
        bool usable = kept_root_index(roots, root, &bytes, &has_index, &problem) && has_index &&
                      chunk_index_read(buf_text(&bytes), bytes.size, &old, &problem) &&
                      kept_root_open(roots, root, &fd, &problem);
        assembly->damaged = 0;
        for (size_t i = 0; usable && i < old.n && assembly->damaged < DAMAGED_MAX; i++)
                if (!take_chunk(assembly, fd, &old.chunks[i], err))
                        return false;
        return true;
}

bool root_parts_copy(const struct kept_roots *roots, const struct chunk_index *index, int to, bool *there,
                     uint64_t *ret_bytes, struct err *err) {
        assert(to >= 0 && there);
        auto_free const struct chunk **by_digest = xcalloc(index->n + 1, sizeof *by_digest);
        auto_free uint8_t *block = xmalloc(CHUNK_MAX_BYTES);
        struct assembly assembly = { .index = index, .by_digest = by_digest, .there = there, .to = to, .block = block };
        for (size_t i = 0; i < index->n; i++)
                by_digest[i] = &index->chunks[i];
        qsort(by_digest, index->n, sizeof *by_digest, compare_chunks);
        for (size_t i = 0; i < roots->count; i++)
                if (!take_from_root(&assembly, roots, &roots->items[i], err))
                        return false;
        *ret_bytes = assembly.bytes;
        return true;
}

// ---- planning ----

// Of what lies between a range and the next one.
static uint64_t gap_bytes(const struct chunk_index *index, const struct chunk_range *range) {
        return index->chunks[range[1].first].offset - index->chunks[range[0].end].offset;
}

static int compare_sizes(const void *left, const void *right) {
        const uint64_t *first = left, *second = right;
        return (*first > *second) - (*first < *second);
}

// The largest gap that has to close, and how many of that size.
static uint64_t widest_to_close(const struct chunk_index *index, const struct chunk_range *ranges, size_t count,
                                size_t closing, size_t *ret_of_that_size) {
        auto_free uint64_t *gaps = xcalloc(count, sizeof *gaps);
        for (size_t i = 0; i + 1 < count; i++)
                gaps[i] = gap_bytes(index, &ranges[i]);
        qsort(gaps, count - 1, sizeof *gaps, compare_sizes);
        uint64_t widest = gaps[closing - 1];
        size_t first = closing - 1;
        while (first > 0 && gaps[first - 1] == widest)
                first--;
        *ret_of_that_size = closing - first;
        return widest;
}

static size_t close_gaps(const struct chunk_index *index, struct chunk_range *ranges, size_t count, size_t most) {
        size_t of_that_size, kept = 0;
        uint64_t widest = widest_to_close(index, ranges, count, count - most, &of_that_size);
        for (size_t i = 0; i + 1 < count; i++) {
                uint64_t gap = gap_bytes(index, &ranges[i]);
                bool is_closed = gap < widest || (gap == widest && of_that_size > 0);
                if (gap == widest && of_that_size > 0)
                        of_that_size--;
                if (is_closed)
                        ranges[kept].end = ranges[i + 1].end;
                else
                        ranges[++kept] = ranges[i + 1];
        }
        return kept + 1;
}

void root_parts_plan(const struct chunk_index *index, const bool *there, size_t most, struct chunk_range **ret,
                     size_t *ret_count) {
        assert(most > 0);
        struct chunk_range *ranges = NULL;
        size_t count = 0;
        for (size_t i = 0; i < index->n; i++) {
                if (there[i])
                        continue;
                if (count == 0 || ranges[count - 1].end < i)
                        *array_append(&ranges, &count) = (struct chunk_range){ i, i };
                ranges[count - 1].end = i + 1;
        }
        if (count > most)
                count = close_gaps(index, ranges, count, most);
        *ret = ranges;
        *ret_count = count;
}
