// Trees of the cache that nobody may change: their files have times of whole seconds, which the clock of a file system
// never gives by itself, so that one that was written since shows. What a disk loses by itself does not.
#ifndef KILN_BASE_TOUCHED_H
#define KILN_BASE_TOUCHED_H

#include <stdint.h>

#include "base/err.h"

// Gives every file below `dir` the time.
must_check bool tree_settle(int dir, int64_t seconds, struct err *err);

// The first file below `dir` that was written since, by its path (heap), or NULL.
must_check bool tree_touched(int dir, char **ret_path, struct err *err);

#endif
