// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_METADATA_COMPS_H
#define KILN_PACKAGES_METADATA_COMPS_H

#include <stdbool.h>

#include "base/buf.h"
#include "packages/solve/groups.h"

// All groups as one comps.xml. False: there is none, or they are too large for the buffer.
bool groups_format(const struct groups *groups, struct buf *ret);

#endif
