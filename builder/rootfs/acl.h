// SPDX-License-Identifier: MIT
// POSIX ACLs (acl(5)), which squashfs and cpio archives cannot hold.
#ifndef KILN_ROOTFS_ACL_H
#define KILN_ROOTFS_ACL_H

#include "base/err.h"

// Takes the access and the default ACL from `name` in the directory `parent`, and warns with what they said; `path` is
// what the warning calls it. The mode's group bits, which are the mask while there is an ACL, become what the ACL gives
// the owning group. A symbolic link has none.
must_check bool acl_settle(int parent, const char *name, const char *path, struct err *err);
// Nothing that is made in this directory from now on inherits an ACL from it. A file system without ACLs is fine.
must_check bool acl_inherit_nothing(int dir, struct err *err);

#endif
