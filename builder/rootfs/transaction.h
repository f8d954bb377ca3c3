// SPDX-License-Identifier: MIT
// One rpm transaction, in a container.
#ifndef KILN_ROOTFS_TRANSACTION_H
#define KILN_ROOTFS_TRANSACTION_H

#include <stdint.h>

#include "base/err.h"
#include "base/progress.h"
#include "packages/packages.h"
#include "rootfs/rootfs.h"

struct transaction {
        int root; // a mount, as a container's
        const struct package *const *packages;
        size_t package_count;
        const char *rpmdb;               // release->rpmdb
        const struct strings *may_fail;  // release->may_fail; NULL: none
        const struct layer_users *users; // made when a package's files need them; NULL: none
        int64_t source_date_epoch;
        struct progress *progress;
};
// Installs the packages, runs their scriptlets, and leaves the database as the image's rpm reads it. Errors: SCRIPTLET
// (with its output), TRANSACTION, CORRUPT, DISK_FULL, SANDBOX, INTERRUPTED.
must_check bool transaction_run(const struct transaction *transaction, struct err *err);

#endif
