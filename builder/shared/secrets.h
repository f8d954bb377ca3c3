// SPDX-License-Identifier: MIT
// The file kiln.secrets: values that no image holds, by name. `kiln secret` writes it, and so may a person; kiln-node
// reads it from a disk that anybody may have written. Lines:
//     # a comment; empty lines do not count either
//     NAME=VALUE                 the rest of the line, as it is
//     NAME<<END                  several lines, up to one that is END (any word) alone
//     ...
//     END
// as in GitHub Actions' environment files. A value is never empty, has no control characters but tabs and newlines, and
// does not end with a newline; CR before a newline and a byte order mark are passed over. No message has any byte of a
// value, and so of a line that cannot be understood.
#ifndef KILN_SHARED_SECRETS_H
#define KILN_SHARED_SECRETS_H

#include "base/buf.h"
#include "base/err.h"

#define SECRETS_FILE "kiln.secrets"
#define SECRET_NAME_MEANS "letters, digits and `_`, no digit first, at most 64"

enum { SECRETS_FILE_MAX_BYTES = 64 << 10, SECRET_NAME_MAX = 64, SECRETS_MAX = 256 };

struct secret {
        char *name, *value;
        size_t start, end; // of its lines in the text
};

// Owns all of it. Zeroed is empty.
struct secrets {
        struct secret *items;
        size_t count;
};
#define auto_secrets __attribute__((cleanup(secrets_release))) struct secrets

bool secret_name_is_valid(const char *name);
// ERR_USAGE, with what is wrong with it, but for its bytes.
must_check bool secret_value_check(const char *value, size_t size, struct err *err);

// ERR_SYNTAX with the number of the line. `*ret` is to be released in any case.
must_check bool secrets_parse(const char *text, size_t size, struct secrets *ret, struct err *err);
const char *secrets_value(const struct secrets *secrets, const char *name); // NULL: there is none of that name
void secrets_release(struct secrets *secrets);                              // values are overwritten

// Appends a name and its value, which must be valid, as lines of the file.
void secret_format(const char *name, const char *value, struct buf *ret);

// Overwrites what the buffer holds before it is released.
void buf_wipe(struct buf *buf);
#define auto_wiped __attribute__((cleanup(buf_wipe))) struct buf

#endif
