// SPDX-License-Identifier: MIT
// An entry of the cache as one file: a pax archive (pax(5), as libarchive writes it) in zstd. It keeps modes, owners,
// times to the nanosecond, hard links, overlayfs' whiteouts, holes, and those extended
// attributes that an image has or that decide what it has: capabilities, user's own, and overlayfs' opaque directories.
// Names are bytes, in no character set.
#ifndef KILN_REMOTE_BUNDLE_H
#define KILN_REMOTE_BUNDLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

// Packs everything in the directory but where it lies, `place*` (cache/seal.h, cache/cached_file.h), to the end of a
// file. Ends with INTERRUPTED once `*stop` is set. CORRUPT: sockets, pipes and devices, of which a cache has none
// (base/stand_in.h).
must_check bool bundle_pack(int dir, int to, const atomic_bool *stop, char ret_sha256[static DIGEST_HEX_SIZE],
                            uint64_t *ret_size_bytes, struct err *err);

// Unpacks a file, from its offset, into an empty directory, which no path and no link of it leaves. `is_private`:
// nobody else can enter that; else set-id programs and capabilities are refused. CORRUPT: it is no such archive, has
// names that lead outside or stand in it twice, or devices.
must_check bool bundle_unpack(int from, int dir, bool is_private, struct err *err);

#endif
