// SPDX-License-Identifier: MIT
// What a kernel module says of itself: the NUL-separated KEY=VALUE strings of the ELF section .modinfo (modinfo(8)).
// Module files come from packages, so every offset in them is checked.
#ifndef KILN_ARTEFACT_INITRD_MODINFO_H
#define KILN_ARTEFACT_INITRD_MODINFO_H

#include "base/buf.h"
#include "base/err.h"

// Reads a module file of at most 256 MB from its start, uncompressed if it is .xz, .gz or .zst.
must_check bool modinfo_read(int fd, struct buf *ret_module, struct err *err);

// Calls for every string, in the section's order. CORRUPT if the bytes are no ELF file with such a section. The
// callback's strings are NUL-terminated and live as long as `module`.
typedef void modinfo_string(const char *key, size_t key_size, const char *value, void *context);
must_check bool modinfo_each(const struct buf *module, modinfo_string *call, void *context, struct err *err);

#endif
