// SPDX-License-Identifier: MIT
// Metalinks: lists of mirrors that also say which repomd.xml the mirrors must have, by digest and size. Read are
// version 3 as MirrorManager writes it, with the earlier repomd.xml files that are still good (mm0:alternates), and
// version 4 (RFC 5854).
#ifndef KILN_PACKAGES_METADATA_METALINK_H
#define KILN_PACKAGES_METADATA_METALINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/strings.h"

// One repomd.xml that mirrors may have.
struct metalink_digest {
        const char *checksum_type, *checksum; // "sha256" or "sha512", lower-case hex
        uint64_t size_bytes;                  // 0: not said
};

// The arrays are heap, what they point to is the arena's.
struct metalink {
        struct strings urls; // base URLs, http and https alone, the preferred first; at most METALINK_URLS_MAX
        struct metalink_digest *digests;
        size_t digest_count; // at least 1 after metalink_parse()
};

enum { METALINK_URLS_MAX = 64, METALINK_DIGESTS_MAX = 256 };

// Whether a text is XML, a metalink or none, and no plain list of URLs.
bool metalink_is_likely(const char *text);
// CORRUPT: this is no metalink, or it says nothing, or nothing better than SHA-1, about repomd.xml. NETWORK: it names
// no mirror that can be used. `ret` is left alone then.
must_check bool metalink_parse(const char *text, size_t size, struct arena *arena, struct metalink *ret,
                               struct err *err);
// Whether these bytes are one of the files.
bool metalink_vouches_for(const struct metalink *metalink, const char *bytes, size_t size);
void metalink_release(struct metalink *metalink);

#endif
