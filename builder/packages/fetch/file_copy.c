// SPDX-License-Identifier: MIT
#include "packages/fetch/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

// partial_sweep() takes a file that nobody has locked for one that a killed kiln left: it may have been quicker.
static bool open_copied_file(const char *temporary, int *ret_fd, struct err *err) {
        for (;;) {
                auto_close int fd = -1;
                struct stat stat;
                if (!fs_open(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, err))
                        return false;
                if (flock(fd, LOCK_EX) < 0 || fstat(fd, &stat) < 0)
                        return fail(err, ERR_SYSTEM, errno, "lock %s", temporary);
                if (stat.st_nlink > 0) {
                        *ret_fd = take_fd(fd);
                        return true;
                }
        }
}

bool file_write_whole(int from, const char *to, struct err *err) {
        auto_free char *temporary = xasprintf("%s.part.%d", to, (int)getpid());
        auto_close int out = -1;
        bool ok = open_copied_file(temporary, &out, err) && fs_copy_bytes(from, out, UINT64_MAX, err);
        if (ok && rename(temporary, to) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename %s", temporary);
        if (!ok)
                unlink(temporary);
        return ok;
}

bool file_copy(const char *from, const char *to, struct err *err) {
        auto_close int in = -1;
        return fs_open_regular(AT_FDCWD, from, &in, err) && file_write_whole(in, to, err);
}
