// SPDX-License-Identifier: MIT
// Ctrl-C. SIGINT, SIGTERM and SIGHUP set a flag; long loops ask for it and unwind through the ordinary
// error path, so that every cleanup runs. A second signal ends the program at once.
#ifndef KILN_BASE_INTERRUPT_H
#define KILN_BASE_INTERRUPT_H

#include <stdbool.h>

#include "base/err.h"

void interrupt_install(void);
bool interrupt_requested(void);
// False with ERR_INTERRUPTED once a signal came. Call it in every loop that may take longer than a second.
must_check bool interrupt_check(struct err *err);

#endif
