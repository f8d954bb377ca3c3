// SPDX-License-Identifier: MIT
// An RPM file: lead (96 bytes), signature header padded to eight bytes, header, payload. Format: rpm's
// docs/manual/format_v4.md. Headers are parsed by headerImport(), which checks every offset; rpm's configuration,
// database and keyring on the build host play no part.
#ifndef KILN_PACKAGES_TRUST_RPM_FILE_H
#define KILN_PACKAGES_TRUST_RPM_FILE_H

#include <rpm/header.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct rpm_file {
        int fd; // the caller's
        Header signature, header;
        uint64_t header_offset, payload_offset, size_bytes;
};
// CORRUPT: it is no RPM package, or its headers are malformed or cut short. Nothing is verified. The descriptor must
// stay open as long as the result is in use.
must_check bool rpm_file_read(int fd, struct rpm_file *ret, struct err *err);
void rpm_file_close(struct rpm_file *file);

#endif
