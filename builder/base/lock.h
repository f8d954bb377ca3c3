// Entries of a cache that several kilns share: whoever holds ENTRY.lock makes ENTRY as ENTRY.XXXXXXXX
// (fs_make_temporary_dir) and renames it. The kernel drops the lock with its holder, so that such a temporary directory
// belongs to nobody as soon as the lock can be had.
#ifndef KILN_BASE_LOCK_H
#define KILN_BASE_LOCK_H

#include "base/err.h"

// Opens (and makes) the file and waits for its lock; closing the descriptor unlocks. Ctrl-C ends the waiting.
must_check bool lock_take(int dir, const char *path, int *ret_fd, struct err *err);

// Removes what a killed holder of an entry's lock left: PATH.XXXXXXXX. Only for who holds the lock.
must_check bool lock_remove_leftovers(int dir, const char *path, struct err *err);

#endif
