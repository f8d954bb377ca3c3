// SPDX-License-Identifier: MIT
#include "packages/fetch/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"

static bool file_fill(int in, const char *temporary, struct err *err) {
        auto_close int out = -1;
        return fs_open(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644, &out, err) &&
               fs_copy_bytes(in, out, UINT64_MAX, err);
}

bool file_write_whole(int from, const char *to, struct err *err) {
        auto_free char *temporary = xasprintf("%s.part.%d", to, (int)getpid());
        bool ok = file_fill(from, temporary, err);
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
