// SPDX-License-Identifier: MIT
// Package groups and environments, as the comps.xml of every repository describes them.
#ifndef KILN_PACKAGES_SOLVE_GROUPS_H
#define KILN_PACKAGES_SOLVE_GROUPS_H

#include <solv/pool.h>
#include <stdbool.h>

#include "base/err.h"
#include "packages/solve/pool.h"

// Groups are kept in a pool of their own: they are no packages, and most builds need few or none.
struct groups {
        Pool *pool;
};

// Loads packages->groups, once. Errors as metadata_file_open(), and CORRUPT.
must_check bool groups_load(struct packages *packages, struct err *err);
void groups_free(struct groups *groups);
// Calls `add` for each mandatory, default and conditional (`condition` not NULL: the package that
// must be chosen, too) package of a group or environment,
// named by id or name. False with ERR_PACKAGE if there is none.
typedef void comps_member(void *context, const char *package, const char *condition);
must_check bool groups_members(const struct groups *groups, const char *name, comps_member *add, void *context,
                               struct err *err);

#endif
