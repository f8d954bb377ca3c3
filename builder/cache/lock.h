// SPDX-License-Identifier: MIT
// Entries of a cache that several kilns share: whoever holds ENTRY.lock makes ENTRY under a temporary name and renames
// it (cache/entry.h). The kernel drops the lock with its holder, so that such a temporary directory belongs to nobody
// as soon as the lock can be had.
#ifndef KILN_CACHE_LOCK_H
#define KILN_CACHE_LOCK_H

#include "base/err.h"

// Waits for the lock of the whole cache, LOCK_SH or LOCK_EX of flock(2), until Ctrl-C; says that it waits.
must_check bool lock_cache(const char *cache, int how, int *ret_fd, struct err *err);

// Opens (and makes) the file and waits for its lock; closing the descriptor unlocks. Ctrl-C ends the waiting.
must_check bool lock_take(int dir, const char *path, int *ret_fd, struct err *err);

// Removes what a killed holder of the lock of PATH left of writing it: PATH.XXXXXXXX (fs_write_atomic,
// fs_make_temporary_dir). Only for who holds the lock.
must_check bool lock_remove_leftovers(int dir, const char *path, struct err *err);

// Removes an entry: out of its place by one rename, so that a kill leaves no half of it to be taken for a whole one.
// What it leaves, lock_is_removed(), goes the next time, here or by --prune. Only for who holds the lock.
must_check bool lock_remove_entry(int dir, const char *name, struct err *err);
bool lock_is_removed(const char *name);

#endif
