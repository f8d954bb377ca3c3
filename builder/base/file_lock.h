// SPDX-License-Identifier: MIT
// Waiting for a flock(2).
#ifndef KILN_BASE_FILE_LOCK_H
#define KILN_BASE_FILE_LOCK_H

#include "base/err.h"

// Takes LOCK_SH or LOCK_EX of an open file or directory, however long another process keeps it. `path` names it in
// errors, which are INTERRUPTED and SYSTEM. Where it has to wait, `waiting_for` is told once as what another kiln uses;
// NULL: nothing is.
must_check bool file_lock_wait(int fd, int how, const char *path, const char *waiting_for, struct err *err);

#endif
