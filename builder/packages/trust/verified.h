// SPDX-License-Identifier: MIT
// Which files were verified in earlier runs, so that a rebuild does not hash hundreds of packages again.
//
// Trust model: an entry says that this inode, with this size, modification and change time, once passed under this
// policy (checksum, NEVRA and trusted keys, hashed). Nobody can alter a file without a new change time but by setting
// the clock or writing to the raw disk. Whoever may write to the cache directory could also write entries: the cache is
// trusted like the build's output, and is created for its owner alone to write.
#ifndef KILN_PACKAGES_TRUST_VERIFIED_H
#define KILN_PACKAGES_TRUST_VERIFIED_H

#include <stdbool.h>

struct cache;
struct verified;
struct verified *verified_load(const struct cache *cache);
// Whether this very file was verified under this policy (a hash of checksum, NEVRA and keys).
bool verified_has(const struct verified *verified, const char *policy, const char *path);
void verified_add(struct verified *verified, const char *policy, const char *path);
// A list that cannot be written costs only time: it warns.
void verified_save_and_free(struct verified *verified);

#endif
