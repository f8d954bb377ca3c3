// SPDX-License-Identifier: MIT
// librpm's database in sqlite: `Packages` (number, header) and a table for each index (key, number, place).
#ifndef KILN_ROOTFS_RPMDB_SQLITE_H
#define KILN_ROOTFS_RPMDB_SQLITE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

// Always false: TRANSACTION with sqlite's own words; DISK_FULL if that is what it says.
bool rpmdb_sqlite_fail(sqlite3 *db, const char *what, struct err *err);

// librpm does not tell of every write to its database that fails: it goes on, and what a package said is lost. SQLite
// itself is asked: `watch` before librpm opens the database, in a process of one thread; `check` when librpm has closed
// it, for errors since and for the number of packages.
must_check bool rpmdb_sqlite_watch(struct err *err);
must_check bool rpmdb_sqlite_check(const char *path, size_t package_count, struct err *err);

// How many packages there are: none where there is no database.
must_check bool rpmdb_sqlite_count(const char *path, size_t *ret_count, struct err *err);

// The highest number of a package; 0: there is none.
must_check bool rpmdb_sqlite_highest(sqlite3 *db, uint32_t *ret_number, struct err *err);

// Writes the database anew, so that the bits of the file follow from what it says alone: not from what was written
// before, removed or tried again. Every package gets the install time (seconds since 1970). One file is left, with no
// journal and no log. Nobody else may have it open. Errors: TRANSACTION, DISK_FULL, SYSTEM.
must_check bool rpmdb_sqlite_settle(const char *path, int64_t install_time, struct err *err);

#endif
