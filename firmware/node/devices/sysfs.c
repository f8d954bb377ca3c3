// SPDX-License-Identifier: MIT
#include "firmware/node/devices/sysfs.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void sysfs_read_line(const char *directory, const char *attribute, char *ret, size_t size) {
        assert(size > 1);
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, attribute);
        ret[0] = '\0';
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        ssize_t got = read(fd, ret, size - 1);
        if (got < 0)
                got = 0;
        ret[got] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        for (size_t end = strlen(ret); end > 0 && isspace((unsigned char)ret[end - 1]); end--)
                ret[end - 1] = '\0';
        for (char *at = ret; *at; at++)
                if (!isprint((unsigned char)*at))
                        *at = '?';
}
