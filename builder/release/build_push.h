// SPDX-License-Identifier: MIT
// Published builds to a registry: `kiln push`.
#ifndef KILN_RELEASE_BUILD_PUSH_H
#define KILN_RELEASE_BUILD_PUSH_H

#include <stdint.h>

#include "base/strings.h"
#include "registry/registry.h"

struct build_push_options {
        const char *build; // its directory
        const char *tag;
        const struct strings *mounts; // repositories of the registry that may have some of it already
        unsigned jobs;
        bool is_dry; // nothing is sent
};

// Texts are heap.
struct build_push_result {
        char *build, *cluster;
        char *digest; // "sha256:HEX" of the manifest
        size_t files;
        size_t blobs, sent, mounted; // contents, each once
        uint64_t bytes, sent_bytes;  // of these
};
void build_push_result_release(struct build_push_result *result);

// Checks the build as `kiln verify --no-rebuild` does, and uploads what the repository lacks: contents, then the
// manifest under the build's id, what refers to it (SBOMs, signatures), and at last the tag. Errors: those of
// verify_build(), and of the registry. Nothing has a tag then that is not whole.
must_check bool build_push(struct registry *registry, const struct build_push_options *options,
                           struct build_push_result *ret, struct err *err);

#endif
