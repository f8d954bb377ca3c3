// SPDX-License-Identifier: MIT
// JSON documents.
#ifndef KILN_VERIFY_COMPARE_COMPARE_JSON_H
#define KILN_VERIFY_COMPARE_COMPARE_JSON_H

#include "verify/compare/difference.h"

compare_format compare_json;

#endif
