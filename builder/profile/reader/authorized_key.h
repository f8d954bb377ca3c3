// SPDX-License-Identifier: MIT
// Lines of authorized_keys files, in the format of sshd(8): [OPTIONS] TYPE BASE64 [COMMENT].
#ifndef KILN_PROFILE_READER_AUTHORIZED_KEY_H
#define KILN_PROFILE_READER_AUTHORIZED_KEY_H

#include "base/err.h"

// Whether a text has the first line of a private key in it.
bool authorized_keys_are_private(const char *text);

// ERR_SYNTAX says what a line is instead of a key that sshd takes: the name of a file, cut short, of another type than
// it says, none at all. A private key's line is none of these: ask before.
must_check bool authorized_key_check(const char *line, struct err *err);

#endif
