// SPDX-License-Identifier: MIT
// Links at the top of a tree. Inside the container, on a transaction's set.
#ifndef KILN_ROOTFS_LINKS_H
#define KILN_ROOTFS_LINKS_H

#include <stdbool.h>

#include "base/err.h"

struct rpmts_s;

// Makes the links at the top of the tree that the packages to be installed bring, and the directories they lead to.
must_check bool links_make(struct rpmts_s *ts, struct err *err);

#endif
