// SPDX-License-Identifier: MIT
#include "packages/packages.h"
#include "packages/trust/rpm_file.h"

bool package_find_payload(int fd, uint64_t *ret_offset, struct err *err) {
        struct rpm_file file;
        if (!rpm_file_read(fd, &file, err))
                return false;
        *ret_offset = file.payload_offset;
        rpm_file_close(&file);
        return true;
}
