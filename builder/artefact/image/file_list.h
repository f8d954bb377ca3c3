// SPDX-License-Identifier: MIT
// What the manifest says of files: one JSON object a line, keys sorted, in the order of the tree walk (parents before
// children, siblings in byte order), so that a list can be stored beside a packed root and copied into a
// manifest without being parsed.
//
//     {"gid":0,"mode":"0644","path":"/etc/fstab","sha256":"…","size":12,"type":"file","uid":0}
//
// `type` is file, directory, link (with "target"), character, block (both with "device": "major:minor"), fifo, socket,
// or whiteout: a path that the configuration layer takes away. A file with capabilities has "capabilities", their
// bytes in hexadecimal (linux/capability.h). Bytes of a path that are not UTF-8 become "\xNN".
#ifndef KILN_ARTEFACT_IMAGE_FILE_LIST_H
#define KILN_ARTEFACT_IMAGE_FILE_LIST_H

#include <jansson.h>
#include <sys/stat.h>

#include "base/buf.h"

struct file_record {
        const char *path; // below the root, without the leading slash
        const struct stat *stat;
        const char *sha256;       // regular files
        const char *target;       // symbolic links
        const char *capabilities; // in hexadecimal; NULL: it has none
};

void file_list_add(struct buf *list, const struct file_record *record);

// Lists a whole directory, reading every file.
must_check bool file_list_scan(int dir, struct buf *list, struct err *err);

// A JSON string of bytes that may not be UTF-8.
json_t *json_text(const char *text);

#endif
