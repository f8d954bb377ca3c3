// SPDX-License-Identifier: MIT
// Files of public keys that options name.
#ifndef KILN_SIGNING_KEY_LINES_H
#define KILN_SIGNING_KEY_LINES_H

#include <stddef.h>

#include "base/err.h"
#include "shared/sshsig.h"

// Appends the public keys of a file, one a line as in .pub files; empty lines and those that begin with "#" are passed
// over. `option` begins the messages, as in "--key". SYNTAX: a line that is no key, more than `max` in all, or none.
must_check bool key_lines_read(const char *option, const char *path, struct ssh_key *keys, size_t max, size_t *count,
                               struct err *err);

#endif
