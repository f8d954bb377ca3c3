// SPDX-License-Identifier: MIT
// Programs that make an initramfs or a boot menu, inside the container.
#ifndef KILN_ROOTFS_BOOT_TOOLS_H
#define KILN_ROOTFS_BOOT_TOOLS_H

#include <stdbool.h>

#include "base/err.h"

// Puts stand-ins in the place of programs that make an initramfs or a boot menu, as far as they are installed by now.
must_check bool boot_tools_set_aside(struct err *err);
// Puts the programs themselves back.
must_check bool boot_tools_restore(struct err *err);
// Runs depmod for every kernel whose modules have no index.
must_check bool kernel_modules_index(struct err *err);

#endif
