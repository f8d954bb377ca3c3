// SPDX-License-Identifier: MIT
// A program of the build host that can run in an initrd. There are no libraries there, so it must not name a dynamic
// linker (elf(5), PT_INTERP).
#ifndef KILN_ARTEFACT_INITRD_STATIC_PROGRAM_H
#define KILN_ARTEFACT_INITRD_STATIC_PROGRAM_H

#include "base/err.h"

// ERR_TOOL with a hint at busybox-static if the file at `path` is no 64-bit ELF program, or is linked dynamically.
must_check bool static_program_check(const char *path, struct err *err);

#endif
