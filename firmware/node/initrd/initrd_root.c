// SPDX-License-Identifier: MIT
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "firmware/node/initrd/initrd.h"

enum { BLOCK_SIZE = 1 << 20 };

static bool hash_root(int fd, char ret_hex[static 65], struct err *err) {
        auto_free uint8_t *block = xmalloc(BLOCK_SIZE);
        struct sha256_ctx context;
        sha256_init(&context);
        for (;;) {
                ssize_t got = read(fd, block, BLOCK_SIZE);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0)
                        break;
                sha256_update(&context, (size_t)got, block);
        }
        uint8_t digest[SHA256_DIGEST_SIZE];
        sha256_digest(&context, sizeof digest, digest);
        for (size_t i = 0; i < sizeof digest; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
        return true;
}

bool initrd_check_root(const char *path, const char *sha256, const char *size, struct err *err) {
        assert(path && sha256 && size);
        char *end;
        errno = 0;
        unsigned long long wanted = strtoull(size, &end, 10);
        if (!isdigit((unsigned char)*size) || *end || errno || strlen(sha256) != 64)
                return fail(err, ERR_USAGE, 0, "\"%s\" and \"%s\" are no SHA-256 and size", sha256, size);
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat stat;
        if (fd < 0 || fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if ((unsigned long long)stat.st_size != wanted)
                return fail(err, ERR_CHECKSUM, 0,
                            "%s has %lld bytes, the configuration layer belongs to a root of %llu", path,
                            (long long)stat.st_size, wanted);
        char found[65];
        if (!hash_root(fd, found, err))
                return wrap(err, "%s", path);
        if (strcasecmp(found, sha256) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s has SHA-256 %s, the configuration layer belongs to %s", path,
                            found, sha256);
        return true;
}
