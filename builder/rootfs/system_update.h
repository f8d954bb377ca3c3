// SPDX-License-Identifier: MIT
// What systemd does again at a boot when /usr is newer than /etc/.updated or /var/.updated (ConditionNeedsUpdate= in
// systemd.unit(5)): hardware database, message catalogue, library cache, system users.
#ifndef KILN_ROOTFS_SYSTEM_UPDATE_H
#define KILN_ROOTFS_SYSTEM_UPDATE_H

#include "base/err.h"
#include "sandbox/container.h"

// Inside the container, when the packages are installed: runs the tools of the image's own units that wait for an
// update, and writes the two files, so that no boot runs them again. A directory for which a unit waits that kiln does
// not know, or whose tool failed (a warning says so), has no such file: it is updated at every boot.
must_check bool system_update(struct container_channel *channel, struct err *err);

#endif
