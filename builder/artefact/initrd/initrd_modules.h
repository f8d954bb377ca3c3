// SPDX-License-Identifier: MIT
// The kernel modules of an initrd: the files, depmod's lists of them, and the firmware that they name.
#ifndef KILN_ARTEFACT_INITRD_INITRD_MODULES_H
#define KILN_ARTEFACT_INITRD_INITRD_MODULES_H

#include "artefact/initrd/initrd_archive.h"
#include "profile/profile.h"

// Adds the modules of `names` and what they need (modules.h) from the package root `root`, uncompressed, to
// `directory`/`kernel_version`, which exists in the archive even if there are none.
must_check bool initrd_modules_add(struct initrd_archive *archive, const char *directory, int root,
                                   const char *kernel_version, const struct strings *names, struct err *err);

#endif
