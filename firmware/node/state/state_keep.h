// SPDX-License-Identifier: MIT
// What makes a machine recognisable beyond its name, kept on the state disk below kiln/keep: machine-id, the SSH host
// keys and the random seed. Files are 0600, public keys and the machine-id readable. Without a state disk systemd's
// own rules hold: a virtual machine's UUID or a new machine-id at each boot, and new host keys.
#ifndef KILN_NODE_STATE_STATE_KEEP_H
#define KILN_NODE_STATE_STATE_KEEP_H

#include "base/err.h"

// In the initrd, with the new root opened as `root` and being "/": puts back what was kept, and makes machine-id and
// random seed if there are none. The seed is bind-mounted, so that systemd refreshes it on the disk.
must_check bool keep_restore(int root, struct err *err);

// In the booted system, once sshd has made its keys: copies them to the disk. Nothing happens without a state disk, or
// on a machine that was refused.
must_check bool keep_save(int root, struct err *err);

enum { MACHINE_ID_SIZE = 34 }; // 32 digits, a newline and a NUL

// A new one, with its newline: random, and of what tells this machine from others (SMBIOS, below `root`).
must_check bool machine_id_make(int root, char ret_text[static MACHINE_ID_SIZE], struct err *err);

// 32 lower-case hexadecimal digits, not all of them zero (machine-id(5)), with or without a newline.
bool machine_id_is_valid(const char *text);

#endif
