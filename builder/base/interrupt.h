// SPDX-License-Identifier: MIT
// Ctrl-C. SIGINT, SIGTERM and SIGHUP set a flag; long loops ask for it and unwind through the ordinary
// error path, so that every cleanup runs. A second signal ends the program at once.
#ifndef KILN_BASE_INTERRUPT_H
#define KILN_BASE_INTERRUPT_H

#include <stdbool.h>

#include "base/err.h"

void interrupt_install(void);
bool interrupt_requested(void);
// While held, a signal is noted and not told of: for what must be put back before the program ends. A second one ends
// it.
void interrupt_hold(bool is_held);
// False with ERR_INTERRUPTED once a signal came. Call it in every loop that may take longer than a second.
must_check bool interrupt_check(struct err *err);

#endif
