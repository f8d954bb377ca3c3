// SPDX-License-Identifier: MIT
// Where two files that should be the same begin to differ, in terms of what is in them: a path inside of a squashfs, a
// newc archive or an ISO, a key of a JSON document, a line of text. `expected` is what it should be, `found` what there
// is. Nothing that `found` holds is trusted.
#ifndef KILN_COMPARE_COMPARE_H
#define KILN_COMPARE_COMPARE_H

#include "compare/difference.h"

// Says where they differ, as in "/usr/bin/foo: content differs at byte 123" (bytes count from 0), or nothing if they
// are the same. A file that cannot be read as what it is named is a difference like any other. Errors: SYSTEM,
// INTERRUPTED.
must_check bool compare_contents(const struct compared *files, struct buf *ret_difference, struct err *err);

#endif
