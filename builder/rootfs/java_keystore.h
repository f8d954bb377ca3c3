// SPDX-License-Identifier: MIT
// Java key stores, whose entries carry times.
#ifndef KILN_ROOTFS_JAVA_KEYSTORE_H
#define KILN_ROOTFS_JAVA_KEYSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// Gives every entry of a JKS store the same time. Another kind of file is left alone. Errors: SYSTEM.
must_check bool java_keystore_settle(int parent, const char *name, int64_t seconds, struct err *err);

#endif
