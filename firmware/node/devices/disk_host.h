// SPDX-License-Identifier: MIT
// Where block devices are found, and what they are called.
#ifndef KILN_NODE_DEVICES_DISK_HOST_H
#define KILN_NODE_DEVICES_DISK_HOST_H

#include <stddef.h>

// Where the kernel shows its disks; tests show files.
struct disk_host {
        const char *sys; // "/sys/class/block"
        const char *dev; // "/dev"
};

// What the block device that /sys calls `sys_name` is called below /dev: "cciss!c0d0p1" is /dev/cciss/c0d0p1. Cut off
// where it does not fit.
void disk_device_name(const char *sys_name, char *ret, size_t size);

#endif
