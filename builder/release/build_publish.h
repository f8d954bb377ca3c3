// SPDX-License-Identifier: MIT
// Moving `current` to a build that is there already, forwards or backwards.
#ifndef KILN_RELEASE_BUILD_PUBLISH_H
#define KILN_RELEASE_BUILD_PUBLISH_H

#include "release/build_list.h"

// Reads the whole build and compares it with what was published, then points `current` at it, unless `is_dry`. Errors:
// REFERENCE for a partial build; DIFFERENT for one of which something is gone or has changed. `current` is then as it
// was. A build that is being made there is not waited for.
must_check bool build_publish(const char *out, const struct listed_build *build, unsigned jobs, bool is_dry,
                              struct err *err);

#endif
