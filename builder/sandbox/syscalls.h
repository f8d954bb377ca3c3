// SPDX-License-Identifier: MIT
// The system calls that scriptlets may make.
#ifndef KILN_SANDBOX_SYSCALLS_H
#define KILN_SANDBOX_SYSCALLS_H

#include <stdbool.h>

#include "base/err.h"

// Refuses the caller and its children what syscalls.c lists, and spares them fsync(2). For good.
must_check bool syscalls_filter(struct err *err);

#endif
