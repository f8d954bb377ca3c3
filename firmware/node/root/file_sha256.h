// SPDX-License-Identifier: MIT
// SHA-256 of files and of what comes in parts, as lower case hex.
#ifndef KILN_NODE_ROOT_FILE_SHA256_H
#define KILN_NODE_ROOT_FILE_SHA256_H

#include <nettle/sha2.h>
#include <stdint.h>

#include "base/err.h"

enum { SHA256_HEX_SIZE = 2 * SHA256_DIGEST_SIZE + 1 };

// What the context has taken so far; it may take more afterwards.
void sha256_to_hex(const struct sha256_ctx *context, char ret_hex[static SHA256_HEX_SIZE]);

// Reads `from` to its end. Where `copy_to` is no -1 it gets all that is read. A file of more than `max_bytes` is
// ERR_REFERENCE; ERR_SYSTEM if it cannot be read or written. Messages do not name the file.
must_check bool file_sha256(int from, int copy_to, uint64_t max_bytes, char ret_hex[static SHA256_HEX_SIZE],
                            struct err *err);

#endif
