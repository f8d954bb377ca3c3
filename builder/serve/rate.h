// SPDX-License-Identifier: MIT
// Speeds as people write them.
#ifndef KILN_SERVE_RATE_H
#define KILN_SERVE_RATE_H

#include <stdint.h>

#include "base/err.h"

// "160M", "1G", "2.5G", "1000000": bits a second, k, M and G of 1,000; "bit", "bit/s" or "bps" may follow. ERR_USAGE.
must_check bool rate_parse(const char *text, uint64_t *ret_bits_per_second, struct err *err);

#endif
