// SPDX-License-Identifier: MIT
// The rpm database of an image, in the form that its own rpm reads.
#ifndef KILN_ROOTFS_RPMDB_H
#define KILN_ROOTFS_RPMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// How a release's rpm keeps its database. `finish` runs inside the container when librpm has closed it, `show` while it
// is open.
struct rpmdb_backend {
        const char *name, *macro; // release->rpmdb, %_db_backend
        bool aside;               // librpm's own database is not the image's
        bool (*finish)(int64_t source_date_epoch, struct err *err);
        // Before a scriptlet runs, which may ask rpm: shows the image's own rpm what is installed so far. NULL: it
        // reads librpm's database.
        bool (*show)(struct err *err);
};
// Inside the container. `rpmdb_begin` before librpm opens its database says how many packages it holds; `rpmdb_check`
// when librpm has closed it fails unless it holds `package_count` and every write to it went well.
must_check bool rpmdb_begin(size_t *ret_count, struct err *err);
must_check bool rpmdb_check(size_t package_count, struct err *err);
// The backend of a release. TRANSACTION for a name that there is none of.
must_check bool rpmdb_find(const char *name, const struct rpmdb_backend **ret, struct err *err);
// For a backend that keeps librpm's database out of the image (`aside`), and nothing for others: `rpmdb_restore` brings
// it from the directory `kept` into the tree before a transaction, `rpmdb_keep` takes it out of the tree after one.
must_check bool rpmdb_restore(const struct rpmdb_backend *backend, int kept, int root, struct err *err);
must_check bool rpmdb_keep(const struct rpmdb_backend *backend, int root, int kept, struct err *err);

#endif
