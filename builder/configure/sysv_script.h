// SPDX-License-Identifier: MIT
// SysV init scripts of an image, such as EL7's network: systemd makes a unit NAME.service of each.
#ifndef KILN_CONFIGURE_SYSV_SCRIPT_H
#define KILN_CONFIGURE_SYSV_SCRIPT_H

#include <stdbool.h>

#include "base/err.h"

enum { SYSV_DIR_COUNT = 2 };
extern const char *const sysv_dirs[SYSV_DIR_COUNT];

// The path of the script behind a unit's name ("network.service"), heap; NULL if there is none.
char *sysv_find(int root, const char *unit_name);
bool sysv_is_script(const char *path);

// Makes the start links of the run levels that the script's chkconfig(8) header names.
must_check bool sysv_enable(int root, const char *path, struct err *err);
// Removes the start links of every run level.
must_check bool sysv_disable(int root, const char *path, struct err *err);

#endif
