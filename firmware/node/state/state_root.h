// SPDX-License-Identifier: MIT
// The root that runs, kept on the state disk for the next boots (roots/kept_roots.h). It stays in memory, which it was
// copied to and checked in: a state disk that dies takes the services' state with it, and not the system that could say
// so; fsck runs on a disk that is not mounted; and no service can change under the system what was checked.
#ifndef KILN_NODE_STATE_STATE_ROOT_H
#define KILN_NODE_STATE_STATE_ROOT_H

#include "base/buf.h"
#include "base/err.h"

// With the new root as "/" and the disk at STATE_MOUNT: keeps what the initrd has fetched to /run/kiln/download, if it
// has fetched the root. `ret_note` says what was done, if anything. Fails no boot: an error is a note too.
void state_keep_root(struct buf *ret_note);

#endif
