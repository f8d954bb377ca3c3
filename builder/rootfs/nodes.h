// SPDX-License-Identifier: MIT
// Device nodes and named pipes of packages, as librpm makes them.
#ifndef KILN_ROOTFS_NODES_H
#define KILN_ROOTFS_NODES_H

#include <stdbool.h>

// Whether librpm, in this process, makes stand-ins (base/stand_in.h) where packages hold device nodes and pipes.
void nodes_stand_in(bool on);

#endif
