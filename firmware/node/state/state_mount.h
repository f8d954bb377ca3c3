// SPDX-License-Identifier: MIT
// Making, checking and mounting the file system of a state disk. Everything here runs with the new root as "/", so that
// mkfs and fsck are the image's own and make what the image's kernel mounts.
#ifndef KILN_NODE_STATE_STATE_MOUNT_H
#define KILN_NODE_STATE_STATE_MOUNT_H

#include "base/buf.h"
#include "firmware/node/inventory/state_settings.h"

// Whether the type is one that a state disk may have.
bool state_filesystem_is_known(const char *type);

// What to mount it with, for mount(2): what the disk itself says of errors ("panic") does not count. May be NULL.
const char *state_mount_data(const char *type);

// Formats. ERR_TOOL with what mkfs said.
must_check bool state_format(const char *device, const char *type, const char *label, struct err *err);

// Runs fsck, which repairs what needs no decision. What it did goes to `ret_note`. ERR_CORRUPT if more is damaged.
must_check bool state_check(const char *device, const char *type, struct buf *ret_note, struct err *err);

// At STATE_MOUNT, nosuid and nodev. ERR_CORRUPT, and nothing stays mounted, if state_check_layout() says so.
must_check bool state_mount(const char *device, const char *type, struct err *err);

// Whether what kiln has at the top of the mounted disk is directories, if it is there: nobody but root may change them
// from then on. ERR_CORRUPT with a hint for a link, a FIFO or the like.
must_check bool state_check_layout(struct err *err);

// Mounts the directory that a state path has on the disk over that path. At its first use the directory is made from
// what the image has there, whole or not at all. No link of the disk is followed: ERR_CORRUPT.
must_check bool state_bind(const struct state_path *path, struct err *err);

// Mounts the opened file (O_PATH will do) over the one at `path`.
must_check bool state_bind_file(int fd, const char *path, struct err *err);

// A note if the disk is (nearly) full.
void state_describe_space(const char *device, struct buf *ret_note);

#endif
