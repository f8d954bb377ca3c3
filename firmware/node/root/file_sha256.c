// SPDX-License-Identifier: MIT
#include "firmware/node/root/file_sha256.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 256 << 10 };

void sha256_to_hex(const struct sha256_ctx *context, char ret_hex[static SHA256_HEX_SIZE]) {
        uint8_t digest[SHA256_DIGEST_SIZE];
        struct sha256_ctx copy = *context;
        sha256_digest(&copy, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

static bool write_whole(int to, const uint8_t *block, size_t size, struct err *err) {
        for (size_t done = 0; done < size;) {
                ssize_t written = write(to, block + done, size - done);
                if (written < 0 && errno != EINTR)
                        return fail(err, ERR_SYSTEM, errno, "write");
                if (written > 0)
                        done += (size_t)written;
        }
        return true;
}

bool file_sha256(int from, int copy_to, uint64_t max_bytes, char ret_hex[static SHA256_HEX_SIZE], struct err *err) {
        assert(from >= 0 && ret_hex);
        auto_free uint8_t *block = xmalloc(BLOCK_BYTES);
        struct sha256_ctx context;
        uint64_t taken = 0;
        sha256_init(&context);
        for (;;) {
                ssize_t got = read(from, block, BLOCK_BYTES);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        break;
                taken += (uint64_t)got;
                if (taken > max_bytes)
                        return fail(err, ERR_REFERENCE, 0, "larger than %llu bytes", (unsigned long long)max_bytes);
                sha256_update(&context, (size_t)got, block);
                if (copy_to >= 0 && !write_whole(copy_to, block, (size_t)got, err))
                        return false;
        }
        sha256_to_hex(&context, ret_hex);
        return true;
}
