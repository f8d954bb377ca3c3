// SPDX-License-Identifier: MIT
// What an ISO is written from on demand: a file that lies beside the role's others, and names those of them that are in
// the volume as they are.
//
//     kiln-iso-parts 1
//     iso SHA256 SIZE
//     file OFFSET SIZE NAME     bytes of the volume that are the file NAME of this directory; by offset
//     rest SIZE SIZE            all other bytes, in their order, and how many they are as one zlib stream (RFC 1950)
//     (an empty line, and the stream)
//
// Nothing else is needed to write it: no cache, no template, no xorriso.
#ifndef KILN_ARTEFACT_ISO_ISO_PARTS_H
#define KILN_ARTEFACT_ISO_ISO_PARTS_H

#include "artefact/iso/iso_template.h"

struct iso_parts {
        const char *volume; // the ISO below `directory`; may have holes where files lie
        const char *sha256; // of the whole ISO
        int directory;
        const struct iso_file *files; // whose `source` is a name below `directory`, in any order
        size_t file_count;
};

// Writes the parts as the file `name` into the directory.
must_check bool iso_parts_write(const struct iso_parts *parts, const char *name, struct err *err);

#endif
