// SPDX-License-Identifier: MIT
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "firmware/node/initrd/initrd.h"
#include "firmware/node/root/file_sha256.h"

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
        char found[SHA256_HEX_SIZE];
        if (!file_sha256(fd, -1, wanted, found, err))
                return wrap(err, "%s", path);
        if (strcasecmp(found, sha256) != 0)
                return fail(err, ERR_CHECKSUM, 0, "%s has SHA-256 %s, the configuration layer belongs to %s", path,
                            found, sha256);
        return true;
}
