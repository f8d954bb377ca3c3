// SPDX-License-Identifier: MIT
// comps.xml of an export: the groups of all repositories. One that several describe is the union of them, as dnf sees
// it with the repositories themselves. Translations and language packs are left out.
#ifndef KILN_PACKAGES_COMPS_H
#define KILN_PACKAGES_COMPS_H

#include <stdbool.h>

#include "base/buf.h"
#include "packages/solve/groups.h"

// All groups as one comps.xml. False: there is none, or they are too large for the buffer.
bool comps_format(const struct groups *groups, struct buf *ret);

#endif
