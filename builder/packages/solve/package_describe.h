// SPDX-License-Identifier: MIT
// One struct package for each package of the pool, made when it is first asked for: whoever learns something of it,
// such as its path, tells everybody.
#ifndef KILN_PACKAGES_SOLVE_PACKAGE_DESCRIBE_H
#define KILN_PACKAGES_SOLVE_PACKAGE_DESCRIBE_H

#include <solv/pooltypes.h>
#include <stdbool.h>

#include "base/err.h"
#include "packages/packages.h"
#include "packages/solve/pool.h"

// What metadata says of a package. CORRUPT: its location or name leads outside, or it has no checksum that proves
// anything. The result is `packages`' own and stays where it is until packages_close().
must_check bool package_describe(struct packages *packages, Id id, struct package **ret, struct err *err);
// Makes `package` the description of `id`, which has none yet: for packages that no metadata knows.
void package_describe_as(struct packages *packages, Id id, struct package *package);
// Licence and vendor of a package of `packages`, as metadata and packages have them alike.
void package_describe_words(struct packages *packages, Id id, struct package *package);
// A package that was described before.
struct package *package_described(const struct packages *packages, Id id);

#endif
