// SPDX-License-Identifier: MIT
// What was verified before.
#ifndef KILN_PACKAGES_TRUST_VERIFIED_H
#define KILN_PACKAGES_TRUST_VERIFIED_H

#include <stdbool.h>

struct cache;
struct verified;
struct verified *verified_load(const struct cache *cache);
// Whether this very file was verified under this policy (a hash of checksum, NEVRA and keys).
bool verified_has(const struct verified *verified, const char *policy, const char *path);
void verified_add(struct verified *verified, const char *policy, const char *path);
void verified_save_and_free(struct verified *verified);

#endif
