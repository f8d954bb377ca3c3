// SPDX-License-Identifier: MIT
// What a build was when it was published, so that rot shows before a build is taken for done. The text of a seal has a
// line for each file of the build:
//
//     SHA256 INODE SIZE MTIME_NS CTIME_NS  PATH
//
// A file that lies where it did (base/file_place.h) is whole. One that does not is read: another build that shares it,
// or an older one that was removed, moved it too. Without a seal, as after a copy, SHA256SUMS is one that knows no
// places.
#ifndef KILN_BUILD_PUBLISHED_SEAL_H
#define KILN_BUILD_PUBLISHED_SEAL_H

#include "base/buf.h"
#include "base/err.h"

enum { PUBLISHED_SEAL_MAX_BYTES = 256 << 20 };

// Seals the build in directory `dir`, in which nothing is written any more. Digests are those of `sums`, which has the
// form of SHA256SUMS (NULL, or empty: the build's own, which was just written); of files that it does not name they are
// computed.
must_check bool published_seal_make(int dir, const struct buf *sums, struct buf *ret_seal, struct err *err);

struct seal_verdict {
        char *difference;   // what is not as it was published, for a sentence; NULL: it is whole
        struct buf renewed; // the seal with the places of now; empty: no file moved
};
void seal_verdict_release(struct seal_verdict *verdict);

// Compares a build with its seal ("": there is none). With `reads_all` no place is believed, and a file that was
// added since is a difference; without, such files do not count. INTERRUPTED ends it; what cannot be read is a
// difference. At most `jobs` threads read.
must_check bool published_seal_check(int dir, const struct buf *seal, bool reads_all, unsigned jobs,
                                     struct seal_verdict *ret, struct err *err);

#endif
