// SPDX-License-Identifier: MIT
#include "artefact/image/image_chunks.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "shared/chunk_cutter.h"
#include "shared/chunk_index.h"

enum { BLOCK_BYTES = 1 << 20 };

// A file that is being cut.
struct cutting {
        struct chunk_cutter cutter;
        struct chunk_index index;
        struct digest *digest; // of the chunk that is not whole yet
        uint32_t size;         // of it
};

static bool end_chunk(struct cutting *cutting, struct err *err) {
        uint8_t digest[CHUNK_DIGEST_BYTES];
        digest_final_bytes(cutting->digest, digest, sizeof digest);
        cutting->digest = digest_new("sha256");
        uint32_t size = cutting->size;
        cutting->size = 0;
        return chunk_index_append(&cutting->index, size, digest, err);
}

static bool cut_block(struct cutting *cutting, const uint8_t *block, size_t size, struct err *err) {
        while (size > 0) {
                bool ends;
                size_t taken = chunk_cutter_take(&cutting->cutter, block, size, &ends);
                digest_update(cutting->digest, block, taken);
                cutting->size += (uint32_t)taken;
                if (ends && !end_chunk(cutting, err))
                        return false;
                block += taken;
                size -= taken;
        }
        return true;
}

static bool cut_file(struct cutting *cutting, int fd, uint8_t *block, struct err *err) {
        for (off_t place = 0;;) {
                ssize_t got = pread(fd, block, BLOCK_BYTES, place);
                if (!interrupt_check(err))
                        return false;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        return cutting->size == 0 || end_chunk(cutting, err);
                if (!cut_block(cutting, block, (size_t)got, err))
                        return false;
                place += got;
        }
}

bool image_chunks(int fd, struct buf *ret, struct err *err) {
        assert(fd >= 0);
        auto_free uint8_t *block = xmalloc(BLOCK_BYTES);
        struct cutting cutting = { .digest = digest_new("sha256") };
        bool ok = cut_file(&cutting, fd, block, err);
        if (ok)
                chunk_index_format(&cutting.index, ret);
        digest_free(cutting.digest);
        chunk_index_release(&cutting.index);
        return ok || wrap(err, "cut into chunks");
}
