// SPDX-License-Identifier: MIT
// Users and groups that a package declares by sysusers.d alone: rpm 4.19 puts each line into its provides
// (`user(NAME) = BASE64`), and makes them as it installs the package. librpm 4.18 does not: their files would be
// root's.
#ifndef KILN_ROOTFS_SYSUSERS_H
#define KILN_ROOTFS_SYSUSERS_H

#include <rpm/rpmtypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Adds to /etc/passwd, group, shadow and gshadow what the package's provides declare and is not there. Inside the
// container. Before the package that brings /etc/passwd it does nothing: that has the users itself. Numbers that are
// not said are the highest free ones below 1000. TRANSACTION: a line that cannot be understood, or no number is free.
must_check bool sysusers_make(Header header, int64_t source_date_epoch, struct err *err);

#endif
