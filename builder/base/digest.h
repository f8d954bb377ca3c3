// SPDX-License-Identifier: MIT
// Message digests by libcrypto's EVP (1.5 GB/s for SHA-256 with SHA-NI; coreutils' sha256sum does a tenth).
#ifndef KILN_BASE_DIGEST_H
#define KILN_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { DIGEST_HEX_SIZE = 129 }; // SHA-512 in lower-case hex with its NUL

struct digest; // a running computation

// `algorithm`: "sha256", "sha1", "sha512", "md5" ("sha" is sha1, as old repomd.xml files write it). NULL if unknown.
struct digest *digest_new(const char *algorithm);
void digest_update(struct digest *digest, const void *data, size_t size);
void digest_final(struct digest *digest, char ret_hex[static DIGEST_HEX_SIZE]); // and free it
// The same in bytes, `size` of them: that many the algorithm must give.
void digest_final_bytes(struct digest *digest, void *ret, size_t size);
void digest_free(struct digest *digest);

void digest_bytes(const char *algorithm, const void *data, size_t size, char ret_hex[static DIGEST_HEX_SIZE]);
// From the descriptor's start to its end.
must_check bool digest_fd(const char *algorithm, int fd, char ret_hex[static DIGEST_HEX_SIZE], struct err *err);
must_check bool digest_file(const char *algorithm, int dir, const char *path, char ret_hex[static DIGEST_HEX_SIZE],
                            struct err *err);

#endif
