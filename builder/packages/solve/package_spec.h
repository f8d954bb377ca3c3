// SPDX-License-Identifier: MIT
// Names of packages.
#ifndef KILN_PACKAGES_SOLVE_PACKAGE_SPEC_H
#define KILN_PACKAGES_SOLVE_PACKAGE_SPEC_H

#include <solv/queue.h>
#include <stdbool.h>

#include "packages/solve/pool.h"

// NAME-[EPOCH:]VERSION-RELEASE.ARCH, NAME.ARCH, NAME, NAME-[EPOCH:]VERSION-RELEASE, NAME-[EPOCH:]VERSION, and globs
// over the whole; each part may be a glob.
enum form { FORM_NONE, FORM_NEVRA, FORM_NAME_ARCH, FORM_NAME, FORM_NEVR, FORM_NEV, FORM_WHOLE };
// Every package that a text names by the first of these forms that fits any, in dnf's order. `installable`: only those
// that may be installed, not what is excluded or for another architecture.
enum form forms_find(const struct packages *packages, const char *text, bool installable, Queue *ret);
bool text_is_glob(const char *text);

#endif
