// SPDX-License-Identifier: MIT
// Limits that a shell or a service manager puts on a process (setrlimit(2)).
#ifndef KILN_BASE_PROCESS_LIMITS_H
#define KILN_BASE_PROCESS_LIMITS_H

#include "base/err.h"

// Takes as many open files as this process may have, up to 65,536, because programs exist that close every possible
// descriptor one by one; fails where that is too few to work with. A file that grows beyond RLIMIT_FSIZE becomes an
// error (EFBIG) and no longer ends the process. Programs that are started inherit both.
must_check bool process_limits_prepare(struct err *err);

#endif
