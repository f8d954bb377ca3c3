// SPDX-License-Identifier: MIT
// The last two roots, kept on the state disk for the next boots. At the disk's top, out of the state paths:
//     kiln-roots/SHA256.squashfs   a root, by its digest; what is not whole is called SHA256.squashfs.part
//     kiln-roots/SHA256.chunks     its index (shared/chunk_index.h); not there: its server had none
// The time of a root says which was used last: it is counted, as the clock of a machine that boots may be wrong.
//
// Nothing here is believed. Whoever takes a root or a part of one has its digest from the signed configuration layer,
// and copies it to memory first: what was checked is what is used, whatever becomes of the disk then. Services cannot
// see the directory (mode 0700, root's); one that is root can spoil it, and gains a boot that fetches the root. No link
// is followed, and what is no regular file, or not root's own, is left out.
#ifndef KILN_NODE_ROOTS_KEPT_ROOTS_H
#define KILN_NODE_ROOTS_KEPT_ROOTS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "firmware/node/root/file_sha256.h"

#define KEPT_ROOTS "kiln-roots"

enum { KEPT_ROOTS_MAX = 2, KEPT_ROOTS_LISTED_MAX = 8 };

struct kept_root {
        char sha256[SHA256_HEX_SIZE];
        uint64_t size_bytes;
        int64_t used; // the larger, the later
};

struct kept_roots {
        int dir; // -1: there is none
        struct kept_root items[KEPT_ROOTS_LISTED_MAX];
        size_t count; // the one that was used last first
};

#define auto_kept_roots __attribute__((cleanup(kept_roots_close))) struct kept_roots

// `disk`: its top directory. A disk that keeps none is no error. ERR_CORRUPT with a hint if something else stands in
// the directory's place, ERR_SYSTEM.
must_check bool kept_roots_open(int disk, struct kept_roots *ret, struct err *err);
void kept_roots_close(struct kept_roots *roots);

// Opens a root, or reads its index (`*ret_found` false: there is none). ERR_SYSTEM; ERR_CORRUPT for another kind of
// file.
must_check bool kept_root_open(const struct kept_roots *roots, const struct kept_root *root, int *ret_fd,
                               struct err *err);
must_check bool kept_root_index(const struct kept_roots *roots, const struct kept_root *root, struct buf *ret,
                                bool *ret_found, struct err *err);

// Writes the root of this digest and size to `to`, whose content counts only after success. ERR_REFERENCE if it is not
// kept, ERR_CHECKSUM if it is another file now, ERR_SYSTEM.
must_check bool kept_roots_copy(const struct kept_roots *roots, const char *sha256, uint64_t size_bytes, int to,
                                struct err *err);

struct kept_addition {
        const char *sha256; // lower case
        int root;           // open for reading: what runs now, whose digest was checked
        uint64_t size_bytes;
        const char *index; // NULL: none
        size_t index_size;
        bool is_from_disk; // the root was copied from here, and need not be written
};

// Keeps the root that runs, and of the others the one that was used last. Each file is written under another name,
// flushed and renamed, so that a power cut leaves it whole or not at all. A quarter of the disk stays free for the
// state, at most 4 GiB: older roots give way, and at last this one. ERR_DISK_FULL, ERR_SYSTEM, ERR_CORRUPT: what was
// begun is removed.
must_check bool kept_roots_add(int disk, const struct kept_addition *addition, struct err *err);

#endif
