// SPDX-License-Identifier: MIT
// Initrds and configuration layers.
#ifndef KILN_COMPARE_COMPARE_NEWC_H
#define KILN_COMPARE_COMPARE_NEWC_H

#include "compare/difference.h"

compare_format compare_newc;

// The content of a file of a newc archive, whatever its members are compressed with. `*ret_found` false: none such.
must_check bool newc_read_file(int fd, const char *path, struct buf *ret, bool *ret_found, struct err *err);

#endif
