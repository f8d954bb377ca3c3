// SPDX-License-Identifier: MIT
// Where in a user's text something stands, and errors that say so.
#ifndef KILN_SHARED_PLACE_H
#define KILN_SHARED_PLACE_H

#include "base/err.h"

struct place {
        const char *file; // as the user named it; NULL for values that kiln made
        int line, column; // from 1
};

// "file:line:column: " before the message, as everywhere that a user's text is wrong.
bool fail_at(struct err *err, enum err_kind kind, const struct place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
