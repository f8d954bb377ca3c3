// SPDX-License-Identifier: MIT
#include "base/stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"

enum { TEXT_SIZE = 32 };

static const struct {
        char letter;
        mode_t type;
        bool has_device;
} kinds[] = { { 'c', S_IFCHR, true }, { 'b', S_IFBLK, true }, { 'p', S_IFIFO, false }, { 's', S_IFSOCK, false } };

static size_t find_type(mode_t mode) {
        size_t i = 0;
        while (i < lengthof(kinds) && kinds[i].type != (mode & S_IFMT))
                i++;
        return i;
}

int stand_in_make(int dir, const char *path, mode_t mode, dev_t device) {
        char text[TEXT_SIZE];
        size_t kind = find_type(mode);
        if (kind == lengthof(kinds)) {
                errno = EINVAL;
                return -1;
        }
        int length = snprintf(text, sizeof text, "%c", kinds[kind].letter);
        if (kinds[kind].has_device)
                length = snprintf(text, sizeof text, "%c %u:%u", kinds[kind].letter, major(device), minor(device));
        auto_close int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
        if (fd < 0)
                return -1;
        if (fsetxattr(fd, STAND_IN_ATTRIBUTE, text, (size_t)length, XATTR_CREATE) == 0)
                return 0;
        int number = errno;
        unlinkat(dir, path, 0);
        errno = number;
        return -1;
}

static bool parse_stand_in(const char *text, struct stat *stat) {
        unsigned high = 0, low = 0;
        int end = 0;
        for (size_t i = 0; i < lengthof(kinds); i++) {
                if (kinds[i].letter != text[0])
                        continue;
                const char *rest = text + 1;
                if (kinds[i].has_device && sscanf(rest, " %u:%u%n", &high, &low, &end) != 2)
                        return false;
                stat->st_mode = (stat->st_mode & ~(mode_t)S_IFMT) | kinds[i].type;
                stat->st_rdev = makedev(high, low);
                return rest[end] == '\0';
        }
        return false;
}

bool stand_in_resolve(int parent, const char *name, struct stat *stat, struct err *err) {
        if (!S_ISREG(stat->st_mode) || stat->st_size != 0)
                return true;
        auto_free char *path = xasprintf("/proc/self/fd/%d/%s", parent, name);
        char text[TEXT_SIZE + 1] = "";
        ssize_t size = lgetxattr(path, STAND_IN_ATTRIBUTE, text, TEXT_SIZE);
        if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
                return true;
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read attribute " STAND_IN_ATTRIBUTE " of %s", name);
        return parse_stand_in(text, stat) ||
               fail(err, ERR_CORRUPT, 0, "%s: attribute " STAND_IN_ATTRIBUTE " says `%s`", name, text);
}
