// SPDX-License-Identifier: MIT
// The directory of the image that holds rpm's database. librpm and scriptlets find it by /var/lib/rpm, which is a link
// where the release's rpm has it elsewhere. The release file says where (`rpmdb_path`), or else the macros of the
// package rpm: %_dbpath in /usr/lib/rpm/macros.
#ifndef KILN_ROOTFS_RPMDB_PLACE_H
#define KILN_ROOTFS_RPMDB_PLACE_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/packages.h"
#include "profile/profile.h"

// Makes the directory, and the link to it, in a tree that is still empty. `scratch` is a directory that a package may
// be unpacked in, and is left as it was.
must_check bool rpmdb_place_make(const struct release *release, const struct package_set *set, int scratch, int tree,
                                 struct err *err);
// After a transaction: that the image's rpm, if there is one, looks where the database is. TRANSACTION with the remedy;
// where the release file says something else, that is a warning.
must_check bool rpmdb_place_check(const struct release *release, int root, struct err *err);

#endif
