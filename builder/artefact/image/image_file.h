// SPDX-License-Identifier: MIT
// libsquashfs' idea of a file and of errors, in kiln's terms.
#ifndef KILN_ARTEFACT_IMAGE_IMAGE_FILE_H
#define KILN_ARTEFACT_IMAGE_IMAGE_FILE_H

#include <sqfs/io.h>

#include "base/err.h"

struct image_file {
        sqfs_file_t base;
        int fd; // the caller's
        uint64_t size;
        int error; // errno of the first failed call: libsquashfs only passes on "I/O error"
};

void image_file_init(struct image_file *file, int fd);

// Fails with what a negative status of libsquashfs means: SYSTEM or DISK_FULL when the file refused, INTERNAL
// otherwise.
bool image_fail(struct err *err, const struct image_file *file, int status, const char *what);

#endif
