// SPDX-License-Identifier: MIT
// No way back to a build that was given up: the state disk remembers the highest serial that was signed (`kiln build
// --serial`) and came up there, in kiln/serial, a decimal number and a newline. Unsigned builds have none, and are not
// asked for one. What boots is told by /run/kiln/signed, which the initrd's init writes from `check-layer`.
#ifndef KILN_NODE_STATE_STATE_SERIAL_H
#define KILN_NODE_STATE_STATE_SERIAL_H

#include "base/buf.h"
#include "base/err.h"

// What init has written: the KEY=VALUE lines of `kiln-node check-layer`.
#define STATE_SIGNED "/run/kiln/signed"

// With the new root opened as `root` and the disk mounted in it. ERR_SIGNATURE with a hint: the build that boots is
// signed and has a lower serial than the disk has seen, or what the disk has seen cannot be read. `ret_note` is of a
// build that is not signed, where the disk has seen signed ones.
must_check bool serial_check(int root, struct buf *ret_note, struct err *err);

// In the booted system, once the machine was accepted (a build that does not come so far must not lock out the one
// before): remembers the serial if it is the highest. A file that cannot be read is made anew: to get here, the
// operator has allowed this build. Nothing happens without a state disk, on a machine that was refused, or if nothing
// is signed.
must_check bool serial_save(int root, struct err *err);

#endif
