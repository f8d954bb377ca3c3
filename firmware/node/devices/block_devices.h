// SPDX-License-Identifier: MIT
// Block devices as the kernel shows them, without udev.
#ifndef KILN_NODE_DEVICES_BLOCK_DEVICES_H
#define KILN_NODE_DEVICES_BLOCK_DEVICES_H

#include "base/err.h"
#include "base/mem.h"

struct block_devices {
        char **names; // as `sys` has them, in byte order; heap
        size_t count;
};

// Those that something may be stored on: no loop, memory or device-mapper devices, and none whose name begins with one
// of `skipped`, a list that ends with NULL. ERR_SYSTEM if `sys` cannot be read; `ret` is released in any case.
must_check bool block_devices_list(const char *sys, const char *const *skipped, struct block_devices *ret,
                                   struct err *err);
void block_devices_release(struct block_devices *devices);
#define auto_block_devices __attribute__((cleanup(block_devices_release)))

#endif
