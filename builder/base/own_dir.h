// SPDX-License-Identifier: MIT
// Directories whose content kiln believes or publishes: the cache and the output. Whoever may write there decides what
// machines boot, so they must be this user's alone.
//
// The directories above are not looked at, as sshd's StrictModes does it. Whoever may rename them decides as well, but
// refusing them would refuse what is usual: a checkout of another user that CI builds as root, one that a group shares,
// and GitLab's /builds, which everybody may write to inside of its container. Who shares a machine with users that he
// does not trust keeps cache and output below a directory of his own.
//
// In a user namespace every id that is not mapped looks the same, and the user's primary group, shared or not, looks
// like his own: what exists is looked at before one is entered.
#ifndef KILN_BASE_OWN_DIR_H
#define KILN_BASE_OWN_DIR_H

#include <stdbool.h>

#include "base/err.h"

enum own_dir_kind {
        OWN_DIR,        // no link, this user's or root's, written by nobody else
        OWN_DIR_LINK,   // the same, but the last part of the path may be a link: a place that the user named
        OWN_DIR_SHARED, // as OWN_DIR_LINK; others may write if it is sticky as /tmp is, for it only holds an OWN_DIR
};

// Opens `path` below the directory `dir`. A directory that its group may write to is taken if the group is the owner's
// own (its number is the owner's, as useradd(8) makes it). `shown` is the path for messages. Errors: SYSTEM, with the
// remedy; ENOENT and ENOTDIR as errors of the system. `*ret_fd` is untouched then.
must_check bool own_dir_open(int dir, const char *path, enum own_dir_kind kind, const char *shown, int *ret_fd,
                             struct err *err);

#endif
