// SPDX-License-Identifier: MIT
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/node/initrd/initrd.h"
#include "firmware/node/root/file_sha256.h"

bool initrd_parse_size(const char *sha256, const char *size, uint64_t *ret, struct err *err) {
        char *end;
        errno = 0;
        unsigned long long wanted = strtoull(size, &end, 10);
        *ret = wanted;
        if (!isdigit((unsigned char)*size) || *end || errno || strlen(sha256) != 64)
                return fail(err, ERR_USAGE, 0, "\"%s\" and \"%s\" are no SHA-256 and size", sha256, size);
        return true;
}

static bool check_root_size(const char *path, int fd, uint64_t wanted, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        return (uint64_t)stat.st_size == wanted ||
               fail(err, ERR_CHECKSUM, 0, "%s has %lld bytes, the configuration layer belongs to a root of %llu", path,
                    (long long)stat.st_size, (unsigned long long)wanted);
}

static bool check_root_digest(const char *path, const char *found, const char *sha256, struct err *err) {
        return strcasecmp(found, sha256) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "%s has SHA-256 %s, the configuration layer belongs to %s", path, found,
                    sha256);
}

bool initrd_check_root(const char *path, const char *sha256, const char *size, struct err *err) {
        assert(path && sha256 && size);
        uint64_t wanted;
        char found[SHA256_HEX_SIZE];
        if (!initrd_parse_size(sha256, size, &wanted, err))
                return false;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!check_root_size(path, fd, wanted, err))
                return false;
        if (!file_sha256(fd, -1, wanted, found, err))
                return wrap(err, "%s", path);
        return check_root_digest(path, found, sha256, err);
}

// The size is the copy's: of a medium, a later look is another one.
static bool copy_and_check(const char *from, const char *to, const char *sha256, uint64_t wanted, struct err *err) {
        char found[SHA256_HEX_SIZE];
        auto_close int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (in < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", from);
        auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", to);
        if (!file_sha256(in, out, wanted, found, err))
                return wrap(err, "%s", from);
        return check_root_size(from, out, wanted, err) && check_root_digest(from, found, sha256, err);
}

bool initrd_copy_root(const char *from, const char *to, const char *sha256, const char *size, struct err *err) {
        assert(from && to && sha256 && size);
        uint64_t wanted;
        if (!initrd_parse_size(sha256, size, &wanted, err))
                return false;
        if (copy_and_check(from, to, sha256, wanted, err))
                return true;
        unlink(to);
        return false;
}
