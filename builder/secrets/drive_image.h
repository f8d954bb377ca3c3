// SPDX-License-Identifier: MIT
// The image of a config drive: ISO 9660 with Rock Ridge and Joliet, so that every kernel sees long names.
#ifndef KILN_SECRETS_DRIVE_IMAGE_H
#define KILN_SECRETS_DRIVE_IMAGE_H

#include "base/buf.h"
#include "base/err.h"

enum { DRIVE_IMAGE_MAX_BYTES = 64 << 20 };

struct drive_file {
        char *path;
        struct buf data;
};

// Files of the top directory. Zeroed is an empty drive with the usual label.
struct drive_image {
        char label[33];
        struct drive_file *files;
        size_t count;
};

// ERR_CORRUPT with a hint for what is no such image, or has directories. To be released in any case.
must_check bool drive_image_read(const struct buf *bytes, struct drive_image *ret, struct err *err);
must_check bool drive_image_write(const struct drive_image *image, struct buf *ret, struct err *err);
void drive_image_release(struct drive_image *image); // what it holds is overwritten

// The contents of a file, which is made if it is not there.
struct buf *drive_image_file(struct drive_image *image, const char *path);

#endif
