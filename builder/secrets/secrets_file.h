// SPDX-License-Identifier: MIT
// kiln.secrets as `kiln secret` keeps it: a text file, or, where the name ends with .iso or .img, the image of a config
// drive that holds one: ISO 9660, labelled KILN, for virtual media, sticks and machines of QEMU. Other names in the
// file, its comments, and other files of an image stay as they are. Mode 0600, replaced by one rename.
#ifndef KILN_SECRETS_SECRETS_FILE_H
#define KILN_SECRETS_SECRETS_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "shared/secrets.h"

// Adds or replaces a value; NULL: removes it, ERR_REFERENCE if there is none of that name. A file that is not there is
// begun by the first value.
must_check bool secrets_file_change(const char *path, const char *name, const char *value, struct err *err);

// ERR_REFERENCE if there is no file. To be released in any case.
must_check bool secrets_file_read(const char *path, struct secrets *ret, struct err *err);

#endif
