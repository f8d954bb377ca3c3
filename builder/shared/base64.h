// SPDX-License-Identifier: MIT
// Base64 (RFC 4648, section 4), as OpenSSH's files hold it.
#ifndef KILN_SHARED_BASE64_H
#define KILN_SHARED_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

// Appends the text of `size` bytes, padded, a newline after every `columns` characters and at the end; 0: no newlines.
void base64_encode(const void *data, size_t size, size_t columns, struct buf *ret);

// Appends what the text stands for; blanks and newlines in it are skipped. False, with `ret` as it was, for any other
// character, a wrong length or padding, and bits that padding leaves over: two texts never give the same bytes.
bool base64_decode(const char *text, size_t size, struct buf *ret);

#endif
