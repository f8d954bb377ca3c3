// SPDX-License-Identifier: MIT
// packages.lock: the very packages of this build as a lock file (lock_file.h), from which the build can be made again.
#include <string.h>

#include "artefact/internal.h"
#include "base/fs.h"

static bool lock_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        return fs_write(build->out, "packages.lock", build->lock, strlen(build->lock), 0644, err);
}

const struct artefact_kind lock_kind = {
        .name = "lock",
        .description = "the packages of the build as a lock file",
        .write = lock_write,
};
