// SPDX-License-Identifier: MIT
// The digests that an RPM file holds of itself. They prove that it is as it was made, not who made it.
#ifndef KILN_PACKAGES_TRUST_PACKAGE_DIGESTS_H
#define KILN_PACKAGES_TRUST_PACKAGE_DIGESTS_H

#include <stdbool.h>

#include "base/err.h"
#include "packages/packages.h"
#include "packages/trust/rpm_file.h"

// The payload against its sha256 in the header. `ret_covered`: there is one, so that whatever vouches for the header
// vouches for both. CHECKSUM.
must_check bool package_check_payload_digest(const struct package *package, const struct rpm_file *file,
                                             bool *ret_covered, struct err *err);
// The header against its digests in the signature header, and the payload against that of the header or, where there is
// none (rpm 4.11 and older), both against the MD5 of both. CHECKSUM.
must_check bool package_check_own_digests(const struct package *package, const struct rpm_file *file, struct err *err);

#endif
