// SPDX-License-Identifier: MIT
// The large and unchanging part of an ISO, an entry CACHE_ISO of the cache (cached_file.h):
//
//     template.iso     a whole ISO without the root: what comes before its place, and what comes after it
//     layout.json      {"root":[OFFSET,SIZE],"state":HEX,"files":{PATH:[OFFSET,SIZE],…}}: where the root lies, where
//                      the other files lie, and SHA-256's state before the first of those that change from build to
//                      build
//
// An ISO is the template, with the root copied into its place and the changing files written over those that the
// template was made with. Nothing is laid out or compressed again, and only what changes is digested again.
#ifndef KILN_ARTEFACT_ISO_ISO_TEMPLATE_H
#define KILN_ARTEFACT_ISO_ISO_TEMPLATE_H

#include "base/digest_state.h"
#include "cache/cache.h"

enum { ISO_FILES_MAX = 8, ISO_SECTOR_BYTES = 2048 };

struct iso_extent {
        uint64_t offset, size_bytes;
};

// A file of the volume whose content is not the template's.
struct iso_file {
        const char *path;         // in the volume
        const char *source;       // below `directory`; its size is that of the place in the template
        struct iso_extent extent; // set by iso_template_fill()
};

// Makes the volume as the file `path`, of what lies in `directory`.
typedef bool iso_make(const char *path, void *context, struct err *err);

struct iso_template {
        struct cache *cache;
        const char *key; // digest of everything that decides the template
        iso_make *make;  // called if the cache has no template of that key
        void *context;
        int directory;    // where the sources are and the ISO is written
        const char *name; // of the ISO; it does not exist
        bool lacks_root;  // the ISO has a hole where the root goes
        struct iso_file root;
        struct iso_file files[ISO_FILES_MAX]; // what changes from build to build
        size_t file_count;
        struct iso_file same[ISO_FILES_MAX]; // further files whose extents are wanted; the template has their content
        size_t same_count;
        // Set by iso_template_fill().
        struct digest_state state;
        bool is_written;
};

// Writes the ISO. `ret_sha256` is the digest of the whole.
must_check bool iso_template_fill(struct iso_template *template, char ret_sha256[static DIGEST_HEX_SIZE],
                                  struct err *err);

#endif
