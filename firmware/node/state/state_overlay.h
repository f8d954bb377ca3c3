// SPDX-License-Identifier: MIT
// The root's writable layer on the state disk (`state_disk.overlay`): scratch, in kiln/overlay below STATE_MOUNT, made
// anew at each boot, because an upper directory that outlived a release would hide its newer files. What the boot
// before left becomes kiln/overlay.old, which kiln-discard.service removes once the machine is up.
#ifndef KILN_NODE_STATE_STATE_OVERLAY_H
#define KILN_NODE_STATE_STATE_OVERLAY_H

#include "base/err.h"
#include "firmware/node/state/state.h"

#define STATE_OVERLAY STATE_MOUNT "/kiln/overlay"
#define STATE_OVERLAY_OLD STATE_OVERLAY ".old"

// Renames the last boot's layer aside. Takes no space: a disk that this layer filled gets rid of it. No layer: true.
must_check bool state_overlay_discard(struct err *err);

// Makes STATE_OVERLAY, empty, mode 0700. ERR_SYSTEM; ERR_REFERENCE if overlayfs cannot use the file system.
must_check bool state_overlay_make(struct err *err);

#endif
