// SPDX-License-Identifier: MIT
// The contents of a build that is pulled: each once, in a directory of their own, under their digests.
#ifndef KILN_RELEASE_PULL_CONTENTS_H
#define KILN_RELEASE_PULL_CONTENTS_H

#include "registry/registry.h"
#include "release/build_artifact.h"

struct pull_contents {
        struct registry *registry;
        const struct build_artifact *artifact;
        int place; // <out>/<cluster>, whose other builds may have some
        int dir;   // where the contents are gathered

        const struct artifact_file **items; // one file of each content
        struct pulled_content {
                char *local; // "BUILD/PATH" of another build that says it has it; NULL: none
                mode_t mode; // of the file in `dir`; 0: not yet given
                bool is_linked;
        } * states;
        size_t count;
        struct progress progress;
        _Atomic uint64_t loaded_bytes;
};

// Finds out which contents there are, and which of them other builds may have.
must_check bool pull_contents_open(struct pull_contents *contents, struct err *err);
void pull_contents_release(struct pull_contents *contents);
uint64_t pull_contents_bytes(const struct pull_contents *contents);
// What has to come from the registry, as far as digests that others wrote down tell.
uint64_t pull_contents_lacking(const struct pull_contents *contents);

// Gathers all of them, verified.
must_check bool pull_contents_gather(struct pull_contents *contents, struct err *err);
// Gives every file of the build its content and mode, below `tree`.
must_check bool pull_contents_spread(struct pull_contents *contents, int tree, struct err *err);

#endif
