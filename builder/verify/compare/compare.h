// SPDX-License-Identifier: MIT
// Where two files that should be the same begin to differ, in terms of what is in them: a path inside of a squashfs, a
// newc archive or an ISO, a key of a JSON document, a line of text. `expected` is what it should be, `found` what there
// is. Nothing that `found` holds is trusted.
#ifndef KILN_VERIFY_COMPARE_COMPARE_H
#define KILN_VERIFY_COMPARE_COMPARE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

// Two files of one name, open for reading, at any offset.
struct compared {
        const char *name; // its end decides how it is read: rootfs.squashfs, initrd.img, *.cpio, *.iso, *.json
        int expected, found;
};

// Says where they differ, as in "/usr/bin/foo: content differs at byte 123" (bytes count from 0), or nothing if they
// are the same. A file that cannot be read as what it is named is a difference like any other. Errors: SYSTEM,
// INTERRUPTED.
must_check bool compare_files(const struct compared *files, struct buf *ret_difference, struct err *err);

// ---- looking into one file ----

// The content of a file of a newc archive, whatever its members are compressed with. `*ret_found` false: none such.
must_check bool compare_read_newc(int fd, const char *path, struct buf *ret, bool *ret_found, struct err *err);

// Calls back for every regular file of an ISO, with its path (no leading slash) and sha256.
typedef bool compare_iso_file(const char *path, const char *sha256, void *context, struct err *err);
must_check bool compare_read_iso(int fd, compare_iso_file *visit, void *context, struct err *err);

#endif
