// SPDX-License-Identifier: MIT
// The large and unchanging part of an ISO, kept in the cache (cached_file.h): CACHE_ISO
//     template.iso     a whole ISO, with a hole where the root goes
//     layout.json      {"root":[OFFSET,SIZE],"state":HEX,"parts":{NAME:[OFFSET,SIZE],…}}: where the root lies, where
//     the
//                      parts lie that change from build to build, and SHA-256's state before the first of them
// An ISO is this file, the root copied into its place, and the parts written over those that the template was made
// with. Nothing is laid out, compressed or digested again.
#ifndef KILN_ARTEFACT_ISO_TEMPLATE_H
#define KILN_ARTEFACT_ISO_TEMPLATE_H

#include "artefact/artefact.h"
#include "base/digest_state.h"

enum { ISO_PARTS_MAX = 8, ISO_SECTOR_BYTES = 2048 };

struct iso_extent {
        uint64_t offset, size_bytes;
};

// A file of the volume that changes from build to build, or the root.
struct iso_part {
        const char *path;   // in the volume
        const char *source; // relative to role->out; its size is that of the place in the template
        struct iso_extent extent;
};

struct iso_layout {
        struct iso_part root, parts[ISO_PARTS_MAX];
        size_t part_count;
        struct digest_state state;
};

// Makes the volume as `path`.
typedef bool iso_make(const char *path, void *context, struct err *err);

// Writes role->out/`name` from the template with the key, which is made first if there is none. `layout` names the
// parts; their extents are set. `ret_sha256` is the digest of what was written.
must_check bool iso_from_template(const struct artefact_build *build, const struct artefact_role *role, const char *key,
                                  iso_make *make, void *context, struct iso_layout *layout, const char *name,
                                  char ret_sha256[static DIGEST_HEX_SIZE], struct err *err);

#endif
