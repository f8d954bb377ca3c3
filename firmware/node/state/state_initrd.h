// SPDX-License-Identifier: MIT
// The initrd's part of the state disk: after the new root's mounts are in place and before switch_root; if the root's
// writable layer is to lie on it, a first part before there is a new root, with the bare one's tools.
#ifndef KILN_NODE_STATE_STATE_INITRD_H
#define KILN_NODE_STATE_STATE_INITRD_H

#include "firmware/node/state/state.h"
#include "firmware/node/state/state_disk.h"

// Finds, claims, checks and mounts the state disk as ROOT/etc/kiln/node.json says, and writes ROOT/run/kiln/state.json.
// Does nothing if that wants none. Needs /dev, /proc, /sys and /run below ROOT, and the initrd's modules; this process
// has ROOT as its root afterwards. What is wrong with a disk is in the record and on the consoles, not an error.
// If state_prepare() left its record there, it goes on from that. `in_memory`: why the root's writable layer is not on
// the disk after all, for the record; NULL: nothing to say. ERR_SIGNATURE with a hint: the disk has seen a newer build
// (state_serial.h), is unmounted again, and nothing of it was used; `allow_older`: the operator wants this one.
must_check bool state_run(const char *root, const char *in_memory, bool allow_older, struct err *err);

// If CONFIG/etc/kiln/node.json wants the root's writable layer on the state disk: finds, claims, checks and mounts the
// disk as state_run() does, at STATE_MOUNT below `root`, the mounted squashfs with /dev, /proc, /sys and a writable
// /run, and makes the layer's directory. `ret_path`: that directory below `root`, or left as it is if memory must do.
must_check bool state_prepare(const char *root, const char *config, bool allow_older, struct buf *ret_path,
                              struct err *err);

enum state_choice { CHOICE_NONE, CHOICE_WAIT, CHOICE_LABELLED, CHOICE_BLANK };

// Which of the disks holds the state. CHOICE_NONE with the reason in `ret_record`, which then is absent or refused;
// what is said about single disks becomes notes. Until it is `late`, a disk that is missing is waited for.
enum state_choice state_choose(const struct disk_host *host, const struct disks *disks,
                               const struct state_settings *settings, bool late, struct arena *arena,
                               struct state_record *ret_record, const struct disk **ret_disk);

// Before there is a root: finds the state disk that the inventory below `config` wants, and mounts it read-only at
// `at`, unchecked: fsck is the root's. Only a disk that has the label; none is formatted. What was waited for it the
// other two functions do not wait again. ERR_REFERENCE if there is none, or the inventory keeps no roots there.
must_check bool state_look(const char *config, const char *at, struct err *err);

#endif
