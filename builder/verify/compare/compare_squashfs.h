// SPDX-License-Identifier: MIT
// squashfs images.
#ifndef KILN_VERIFY_COMPARE_COMPARE_SQUASHFS_H
#define KILN_VERIFY_COMPARE_COMPARE_SQUASHFS_H

#include "verify/compare/difference.h"

compare_format compare_squashfs;

#endif
