// SPDX-License-Identifier: MIT
// A folder of the cluster's own, and behind it the one that is installed with kiln, so that a cluster is one file until
// it needs more. Both as seen from the working directory.
#ifndef KILN_PROFILE_READER_PROFILE_FOLDER_H
#define KILN_PROFILE_READER_PROFILE_FOLDER_H

#include "profile/reader/loader.h"

struct profile_folder {
        const char *own, *example; // `example` NULL: the own one alone
};

// The path of NAME in the own folder, or in the installed one if only that has it.
const char *profile_folder_path(struct loader *loader, const struct profile_folder *folder, const char *name);
// The names in both that end in `suffix`, which is taken off.
struct strings profile_folder_names(struct loader *loader, const struct profile_folder *folder, const char *suffix);

#endif
