// SPDX-License-Identifier: MIT
// A newc archive (cpio(5)), as the kernel's initramfs code reads it, through libarchive. Owners and modes are the
// caller's; inode numbers count from 1 and every time stamp is the same, so equal content gives equal bytes.
#ifndef KILN_ARTEFACT_INITRD_CPIO_H
#define KILN_ARTEFACT_INITRD_CPIO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct cpio;

struct cpio_entry {
        const char *path; // relative, or with the leading slash, which is dropped
        mode_t mode;      // type and permissions
        uid_t uid;
        gid_t gid;
        dev_t device;       // character and block devices
        const char *target; // symbolic links
        const void *data;   // regular files
        size_t size;
        // Hard links: entries with the same non-zero number are one file; `links` of them follow or have come, and only
        // the last carries data, as cpio wants it.
        uint32_t inode;
        unsigned links;
};

// Appends to `output`, which must live as long.
struct cpio *cpio_new(int64_t mtime, struct buf *output);
must_check bool cpio_add(struct cpio *cpio, const struct cpio_entry *entry, struct err *err);
must_check bool cpio_finish(struct cpio *cpio, struct err *err); // writes the trailer
void cpio_free(struct cpio *cpio);

// The first inode number that a caller may use for hard links of its own: cpio_add() numbers the others from 1.
enum { CPIO_FIRST_LINKED_INODE = 1 << 28 };

#endif
