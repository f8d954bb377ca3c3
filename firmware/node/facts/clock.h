// SPDX-License-Identifier: MIT
// The clock that waits and reports are measured with.
#ifndef KILN_NODE_FACTS_CLOCK_H
#define KILN_NODE_FACTS_CLOCK_H

#include <stdint.h>

// Milliseconds of CLOCK_MONOTONIC: since the boot, never set back.
int64_t clock_now_ms(void);

#endif
