// SPDX-License-Identifier: MIT
// The rpm database of an image, in the form that its own rpm reads.
#ifndef KILN_ROOTFS_RPMDB_H
#define KILN_ROOTFS_RPMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// How a release's rpm keeps its database. `finish` runs inside the container when librpm has closed it.
struct rpmdb_backend {
        const char *name, *macro; // release->rpmdb, %_db_backend
        bool aside;               // librpm's own database is not the image's
        bool (*finish)(int64_t source_date_epoch, struct err *err);
};
// Inside the container, before librpm opens its database: how many packages it holds. And when librpm has closed it,
// whether it holds as many as it must, and everything that was written to it.
must_check bool rpmdb_begin(size_t *ret_count, struct err *err);
must_check bool rpmdb_check(size_t package_count, struct err *err);
must_check bool rpmdb_find(const char *name, const struct rpmdb_backend **ret, struct err *err);
// Where it is not the image's: librpm's database from directory `kept` into the tree, before a transaction; and out of
// the tree again, after one.
must_check bool rpmdb_restore(const struct rpmdb_backend *backend, int kept, int root, struct err *err);
must_check bool rpmdb_keep(const struct rpmdb_backend *backend, int root, int kept, struct err *err);

#endif
