// SPDX-License-Identifier: MIT
// JSON documents.
#ifndef KILN_COMPARE_COMPARE_JSON_H
#define KILN_COMPARE_COMPARE_JSON_H

#include "compare/difference.h"

compare_format compare_json;

#endif
