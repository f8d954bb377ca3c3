// SPDX-License-Identifier: MIT
// Reading one file of a volume without leaving a trace of it.
#ifndef KILN_NODE_CONFIG_DRIVE_CONFIG_DRIVE_MOUNT_H
#define KILN_NODE_CONFIG_DRIVE_CONFIG_DRIVE_MOUNT_H

#include "firmware/node/config_drive/config_drive.h"

// A child mounts the volume in a mount namespace of its own below /run, and hands over the file: when it ends, or is
// killed, the mount is gone. `*ret_found` false: the volume has no such file. ERR_SYSTEM; ERR_IDENTITY for a file that
// is too long or no regular file.
volume_read config_drive_read_volume;

#endif
