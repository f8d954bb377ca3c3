// SPDX-License-Identifier: MIT
// Attributes of devices, as sysfs shows them.
#ifndef KILN_NODE_DEVICES_SYSFS_H
#define KILN_NODE_DEVICES_SYSFS_H

#include <stddef.h>

// The first line of DIRECTORY/ATTRIBUTE, without blanks at its end, control bytes shown as '?', and cut off where it
// does not fit into `size` bytes. "" if it cannot be read.
void sysfs_read_line(const char *directory, const char *attribute, char *ret, size_t size);

#endif
