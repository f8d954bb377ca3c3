// SPDX-License-Identifier: MIT
// Package specs: the ways to name packages, as dnf reads them (libdnf's "subjects").
//
//     NAME-[EPOCH:]VERSION-RELEASE.ARCH, NAME.ARCH, NAME, NAME-[EPOCH:]VERSION-RELEASE, NAME-[EPOCH:]VERSION,
//     and globs over the whole; each part may be a glob.
//
// The first of these kinds that fits any package decides. Nothing here changes the pool.
#ifndef KILN_PACKAGES_SOLVE_PACKAGE_SPEC_H
#define KILN_PACKAGES_SOLVE_PACKAGE_SPEC_H

#include <solv/queue.h>
#include <stdbool.h>

#include "packages/solve/pool.h"

enum spec_kind { SPEC_NONE, SPEC_NEVRA, SPEC_NAME_ARCH, SPEC_NAME, SPEC_NEVR, SPEC_NEV, SPEC_GLOB };

// Every package that a spec names, in `ret`, which is emptied first. `installable`: only those that may be installed,
// not what is excluded or for another architecture. SPEC_NONE: it names none.
enum spec_kind package_spec_find(const struct packages *packages, const char *spec, bool installable, Queue *ret);
// The same; if it is no spec (SPEC_NONE), the packages that provide what it says.
enum spec_kind package_spec_match(const struct packages *packages, const char *text, bool installable, Queue *ret);
// Appends whatever provides what a text says: "perl(Foo)", "java >= 1:1.8.0", "font(:lang=de)", or a glob.
void package_spec_find_providers(Pool *pool, const char *text, Queue *ret);
void package_spec_keep_installable(Pool *pool, Queue *candidates);
bool package_spec_is_glob(const char *text);

#endif
