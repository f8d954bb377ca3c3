// SPDX-License-Identifier: MIT
// JSON of strangers. Parsed, a text takes up to a hundred times its own room: what is in it is counted before.
#ifndef KILN_BASE_JSON_MODEST_H
#define KILN_BASE_JSON_MODEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// Whether a text, if it is JSON at all, has at most so many values, keys counted as such, and at most so many levels.
must_check bool json_is_modest(const char *text, size_t size, size_t values_max, size_t depth_max);

#endif
