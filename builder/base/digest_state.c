// SPDX-License-Identifier: MIT
// EVP hides the state of a computation; the older interface of libcrypto is the one that shows it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest_state.h"

#include <assert.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/mem.h"

enum { PIECE_BYTES = 1 << 20 };

// From `offset` to `end`, or to the end of the file if that comes first; `*ret_bytes` were there.
static bool digest_range(SHA256_CTX *context, int fd, uint64_t offset, uint64_t end, uint64_t *ret_bytes,
                         struct err *err) {
        auto_free char *piece = xmalloc(PIECE_BYTES);
        assert(offset <= end);
        uint64_t at = offset;
        while (at < end) {
                size_t want = size_min(end - at, PIECE_BYTES);
                ssize_t got = pread(fd, piece, want, (off_t)at);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        break;
                SHA256_Update(context, piece, (size_t)got);
                at += (uint64_t)got;
                if (!interrupt_check(err))
                        return false;
        }
        *ret_bytes = at - offset;
        return true;
}

bool digest_begin(int fd, uint64_t bytes, struct digest_state *ret, struct err *err) {
        SHA256_CTX context;
        uint64_t got = 0;
        if (bytes % DIGEST_BLOCK_BYTES)
                return fail(err, ERR_INTERNAL, 0, "%llu bytes are no whole blocks", (unsigned long long)bytes);
        SHA256_Init(&context);
        if (!digest_range(&context, fd, 0, bytes, &got, err))
                return false;
        if (got < bytes)
                return fail(err, ERR_SYSTEM, 0, "the file ends after %llu of %llu bytes", (unsigned long long)got,
                            (unsigned long long)bytes);
        for (size_t i = 0; i < lengthof(ret->words); i++)
                ret->words[i] = context.h[i];
        ret->bytes = bytes;
        return true;
}

bool digest_finish(const struct digest_state *state, int fd, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        assert(state->bytes % DIGEST_BLOCK_BYTES == 0);
        SHA256_CTX context;
        unsigned char digest[SHA256_DIGEST_LENGTH];
        uint64_t got;
        SHA256_Init(&context);
        for (size_t i = 0; i < lengthof(state->words); i++)
                context.h[i] = state->words[i];
        context.Nl = (SHA_LONG)(state->bytes << 3); // both count bits
        context.Nh = (SHA_LONG)(state->bytes >> 29);
        if (!digest_range(&context, fd, state->bytes, UINT64_MAX, &got, err))
                return false;
        SHA256_Final(digest, &context);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
        return true;
}

void digest_state_format(const struct digest_state *state, char ret_text[static DIGEST_STATE_TEXT_SIZE]) {
        for (size_t i = 0; i < lengthof(state->words); i++)
                snprintf(ret_text + 8 * i, 9, "%08x", state->words[i]);
}

bool digest_state_parse(const char *text, struct digest_state *ret) {
        if (strlen(text) != DIGEST_STATE_TEXT_SIZE - 1)
                return false;
        for (size_t i = 0; i < lengthof(ret->words); i++)
                if (sscanf(text + 8 * i, "%8x", &ret->words[i]) != 1)
                        return false;
        return true;
}
