// SPDX-License-Identifier: MIT
#include "base/digest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

struct digest {
        EVP_MD_CTX *context;
};

struct digest *digest_new(const char *algorithm) {
        if (strcmp(algorithm, "sha") == 0) // as old repomd.xml files write it
                algorithm = "sha1";
        const EVP_MD *type = EVP_get_digestbyname(algorithm);
        if (!type)
                return NULL;
        struct digest *digest = xmalloc(sizeof *digest);
        digest->context = EVP_MD_CTX_new();
        if (!digest->context || !EVP_DigestInit_ex(digest->context, type, NULL))
                abort();
        return digest;
}

void digest_update(struct digest *digest, const void *data, size_t size) {
        EVP_DigestUpdate(digest->context, data, size);
}

void digest_final(struct digest *digest, char ret_hex[static DIGEST_HEX_SIZE]) {
        unsigned char bytes[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        EVP_DigestFinal_ex(digest->context, bytes, &size);
        static const char hex[] = "0123456789abcdef";
        for (unsigned i = 0; i < size; i++) {
                ret_hex[2 * i] = hex[bytes[i] >> 4];
                ret_hex[2 * i + 1] = hex[bytes[i] & 15];
        }
        ret_hex[2 * (size_t)size] = '\0';
        digest_free(digest);
}

void digest_final_bytes(struct digest *digest, void *ret, size_t size) {
        assert(EVP_MD_CTX_get_size(digest->context) == (int)size);
        EVP_DigestFinal_ex(digest->context, ret, NULL);
        digest_free(digest);
}

void digest_free(struct digest *digest) {
        if (digest)
                EVP_MD_CTX_free(digest->context);
        free(digest);
}

void digest_bytes(const char *algorithm, const void *data, size_t size, char ret_hex[static DIGEST_HEX_SIZE]) {
        struct digest *digest = digest_new(algorithm);
        assert(digest); // the algorithm is the caller's own choice here
        digest_update(digest, data, size);
        digest_final(digest, ret_hex);
}

static bool digest_whole(struct digest *digest, int fd, struct err *err) {
        enum { BLOCK = 1 << 20 };
        auto_free char *block = xmalloc(BLOCK);
        for (off_t offset = 0;;) {
                ssize_t got = pread(fd, block, BLOCK, offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        return true;
                if (!interrupt_check(err))
                        return false;
                digest_update(digest, block, (size_t)got);
                offset += got;
        }
}

bool digest_fd(const char *algorithm, int fd, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        struct digest *digest = digest_new(algorithm);
        if (!digest)
                return fail(err, ERR_CHECKSUM, 0, "unknown digest algorithm %s", algorithm);
        if (!digest_whole(digest, fd, err)) {
                digest_free(digest);
                return false;
        }
        digest_final(digest, ret_hex);
        return true;
}

bool digest_file(const char *algorithm, int dir, const char *path, char ret_hex[static DIGEST_HEX_SIZE],
                 struct err *err) {
        auto_close int fd = -1;
        if (!fs_open_regular(dir, path, &fd, err))
                return false;
        return digest_fd(algorithm, fd, ret_hex, err) || wrap(err, "%s", path);
}
