// SPDX-License-Identifier: MIT
// rpm's database as rpm 4.0 to 4.15 keep it: tables of Berkeley DB 5.3 in one directory. `Packages` holds the headers
// (key: the package's number, 32 bits, native; 0 holds the highest number; value: what headerExport() gives); the
// other tables are indexes that rpm makes of it. This module knows tables, not packages.
#ifndef KILN_ROOTFS_BDB_H
#define KILN_ROOTFS_BDB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct bdb_writer;
// Makes a new hash table (a file of that name must not exist). bdb_close() after a failed bdb_put() too; its result
// counts only if all went well before.
must_check bool bdb_create(const char *path, struct bdb_writer **ret, struct err *err);
// One that bdb_create() made, to put more into.
must_check bool bdb_open(const char *path, struct bdb_writer **ret, struct err *err);
must_check bool bdb_put(struct bdb_writer *writer, uint32_t number, const void *data, size_t size, struct err *err);
must_check bool bdb_close(struct bdb_writer *writer, struct err *err);

// Whether a file is a table, by its first page; a link is none.
bool bdb_is_table(int dir, const char *name);
// The records of a table, whatever its kind.
must_check bool bdb_count(const char *path, size_t *ret_count, struct err *err);

// Gives every byte that libdb left to chance a fixed value, in a table read from file `name`. Malformed pages are
// ERR_TRANSACTION: what wrote the table was a program of the image.
must_check bool bdb_settle(const char *name, unsigned char *bytes, size_t size, struct err *err);
must_check bool bdb_settle_file(int dir, const char *name, struct err *err);

#endif
