// SPDX-License-Identifier: MIT
// What the files share that run a transaction inside of the container: transaction.c, transaction_prepare.c,
// transaction_events.c, transaction_feeds.c, transaction_owners.c and transaction_failure.c.
#ifndef KILN_ROOTFS_TRANSACTION_WORKER_H
#define KILN_ROOTFS_TRANSACTION_WORKER_H

#include <rpm/rpmts.h>
#include <rpm/rpmtypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"
#include "rootfs/rpmdb.h"
#include "rootfs/transaction.h"
#include "sandbox/container.h"

struct feeds;

struct worker {
        struct transaction transaction; // its root and progress are unset
        struct arena arena;
        const struct rpmdb_backend *backend;
        struct container_channel *channel;
        rpmts ts;            // while it is watched
        int *files;          // the packages, in the transaction's order
        int output;          // what scriptlets print
        struct buf messages; // rpm's own, since the last scriptlet began
        Header unpacked;     // of the package whose files are being unpacked, or NULL
        struct strings told; // warnings that need no second time
        struct feeds *feeds; // packages that are unpacked ahead (transaction_feeds.c), or NULL
};

// Before the pivot: loads what librpm needs of the host, and opens the packages.
must_check bool worker_prepare(struct worker *worker, struct err *err);

// A package for librpm to read, or NULL. It reads one at a time.
FD_t worker_open_package(const struct worker *worker, size_t index);
// Unpacking ahead: the order is known; packages are installed from now on; a package in its turn, or another time;
// it was read; all were.
void worker_order_feeds(struct worker *worker, rpmts ts);
void worker_start_feeds(const struct worker *worker);
FD_t worker_feed_package(const struct worker *worker, size_t index);
void worker_end_feed(const struct worker *worker);
void worker_end_feeds(const struct worker *worker);

// Takes librpm's events and messages on the worker's behalf. `worker_unwatch` before the worker ends.
void worker_watch(struct worker *worker, rpmts ts);
void worker_unwatch(void);

// Makes the users that the unpacked package gives files to, if they are of the transaction's.
must_check bool worker_add_users(const struct worker *worker, struct err *err);
// If librpm's message says that an owner does not exist: tells which package's files are root's then, once.
bool worker_tell_missing_owner(struct worker *worker, const char *text);

// Always false: TRANSACTION, or DISK_FULL if that is the reason, with what rpm said since the last scriptlet began.
bool worker_fail(const struct worker *worker, const char *what, struct err *err);
// The same with the problems of the transaction's set, a line each.
bool worker_fail_problems(rpmts ts, const char *what, struct err *err);
// A scriptlet begins: says so, for it may take long.
void worker_begin_scriptlet(const struct worker *worker, Header header, rpm_loff_t tag);
// A scriptlet failed: ends the worker with SCRIPTLET and what it printed, or warns if the package is one that may fail.
void worker_fail_scriptlet(struct worker *worker, Header header, rpm_loff_t tag);

#endif
