// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_SOLVE_SOLVE_H
#define KILN_PACKAGES_SOLVE_SOLVE_H

#include <solv/pooltypes.h>
#include <stdbool.h>

#include "base/err.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"

// What metadata says of a package.
must_check bool package_describe(struct packages *packages, Id id, struct package *ret, struct err *err);

#endif
