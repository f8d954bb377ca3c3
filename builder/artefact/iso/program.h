// SPDX-License-Identifier: MIT
// Programs that make parts of artefacts, run so that they do the same on each run.
#ifndef KILN_ARTEFACT_ISO_PROGRAM_H
#define KILN_ARTEFACT_ISO_PROGRAM_H

#include <stdint.h>

#include "base/err.h"

// Runs argv in the directory `dir`, with the caller's environment, SOURCE_DATE_EPOCH, TZ=UTC and LC_ALL=C.
must_check bool program_run(int64_t source_date_epoch, int dir, const char *const *argv, struct err *err);

// Whether PATH has the program; the error names the Debian package.
must_check bool program_check(const char *name, const char *package, struct err *err);

#endif
