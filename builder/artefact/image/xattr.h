// SPDX-License-Identifier: MIT
// Extended attributes as an image keeps them: file capabilities and user.*. Everything else is dropped: overlayfs' own
// marks (trusted.*, user.overlay.*) and kiln's (base/stand_in.h), labels of the build host (security.selinux) and what
// squashfs cannot hold (system.*).
#ifndef KILN_ARTEFACT_IMAGE_XATTR_H
#define KILN_ARTEFACT_IMAGE_XATTR_H

#include <stddef.h>

#include "base/err.h"

struct xattr {
        char *name;
        unsigned char *value;
        size_t size;
};
struct xattrs {
        struct xattr *items; // sorted by name
        size_t count;
};

// Of `name` in the directory `parent`, not following a symbolic link. Capabilities written in a user namespace
// (revision 3, with a root id, linux/capability.h) become revision 2, which EL7's kernel reads.
must_check bool xattrs_read(int parent, const char *name, struct xattrs *ret, struct err *err);
void xattrs_release(struct xattrs *xattrs);

#endif
