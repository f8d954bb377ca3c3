// SPDX-License-Identifier: MIT
// Special files of packages. The sandbox makes none: a plain user may not, and root's would be the host's own devices,
// lying in the cache. librpm 4.18 also opens what it has made, and would wait for a writer at a named pipe. So librpm,
// and nothing else of this program, is given base/stand_in.h's files: symbols of the program come before libc's.
#include "rootfs/nodes.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/stand_in.h"

static bool standing_in;

void nodes_stand_in(bool on) { standing_in = on; }

int mknodat(int dir, const char *path, mode_t mode, dev_t device) {
        if (standing_in)
                return stand_in_make(dir, path, mode, device);
        return (int)syscall(SYS_mknodat, dir, path, mode, (unsigned)device);
}

int mkfifoat(int dir, const char *path, mode_t mode) { return mknodat(dir, path, mode | S_IFIFO, 0); }
