// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_TRUST_RPM_FILE_H
#define KILN_PACKAGES_TRUST_RPM_FILE_H

#include <rpm/header.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct rpm_file {
        int fd;
        Header signature, header;
        uint64_t header_offset, payload_offset, size_bytes;
};
must_check bool rpm_file_open(const char *path, struct rpm_file *ret, struct err *err);
void rpm_file_close(struct rpm_file *file);

#endif
