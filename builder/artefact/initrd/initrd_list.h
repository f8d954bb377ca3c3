// SPDX-License-Identifier: MIT
// The list of what an initrd holds, firmware/initramfs/parts, and the archive that it asks for. The list documents its
// own grammar; a new kind of line is one function and one line of the table in initrd_list.c.
#ifndef KILN_ARTEFACT_INITRD_INITRD_LIST_H
#define KILN_ARTEFACT_INITRD_INITRD_LIST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

// Where the content comes from. Paths are the build host's.
struct initrd_sources {
        const char *directory;         // holds the list, `parts`, and the files that it names
        const char *busybox;           // linked statically
        const char *node_helper;       // kiln-node
        int root;                      // the package root: kernel modules and their firmware
        const char *kernel_version;    // of the modules: a directory of lib/modules
        const struct strings *modules; // names of those that are wanted
        int64_t mtime;                 // of every entry
        const struct buf *trust;       // what TRUST_PATH holds, after the list's entries; empty or NULL: there is none
};

// Puts the archive together, uncompressed, in the order of the list. A line that is wrong is an ERR_SYNTAX with file
// and line number.
must_check bool initrd_list_read(const struct initrd_sources *sources, struct buf *ret_archive, struct err *err);

#endif
