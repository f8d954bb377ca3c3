// SPDX-License-Identifier: MIT
// SHA-256 of a file whose beginning was digested before: the state of the computation (FIPS 180-4, 6.2: eight words
// after a whole number of 64-byte blocks) can be kept, so that a large file with a small new end is not read again.
#ifndef KILN_BASE_DIGEST_STATE_H
#define KILN_BASE_DIGEST_STATE_H

#include <stdint.h>

#include "base/digest.h"

enum { DIGEST_BLOCK_BYTES = 64, DIGEST_STATE_TEXT_SIZE = 65 };

struct digest_state {
        uint32_t words[8];
        uint64_t bytes; // digested so far, a multiple of DIGEST_BLOCK_BYTES
};

// After the first `bytes` of the file. ERR_INTERNAL if that is no multiple of a block, ERR_SYSTEM if the file is
// shorter.
must_check bool digest_begin(int fd, uint64_t bytes, struct digest_state *ret, struct err *err);
// The digest of the whole file, of which only what comes after the state is read.
must_check bool digest_finish(const struct digest_state *state, int fd, char ret_hex[static DIGEST_HEX_SIZE],
                              struct err *err);

// The words in hex, without the count.
void digest_state_format(const struct digest_state *state, char ret_text[static DIGEST_STATE_TEXT_SIZE]);
bool digest_state_parse(const char *text, struct digest_state *ret);

#endif
