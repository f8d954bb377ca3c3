// SPDX-License-Identifier: MIT
// Builds from a registry: `kiln pull`.
#ifndef KILN_RELEASE_BUILD_PULL_H
#define KILN_RELEASE_BUILD_PULL_H

#include <stdint.h>

#include "registry/registry.h"

struct build_pull_options {
        const char *out;
        const char *name;     // a tag, or "sha256:HEX"
        const char *shown;    // what the user named, for messages
        const char *key_file; // public keys, one of which must have signed the build; NULL: nobody has to
        unsigned jobs;
        bool is_dry; // nothing is written
};

// Texts are heap.
struct build_pull_result {
        char *build, *cluster;
        char *digest; // "sha256:HEX" of the manifest
        char *path;   // where the build is, or would be
        char *summary;
        bool is_partial, was_there;
        size_t files;
        uint64_t bytes, loaded_bytes; // of its contents, each once
};
void build_pull_result_release(struct build_pull_result *result);

// Loads a build to <out>/<cluster>/<build id>, or below PARTIAL_DIR there. It grows in a hidden directory, gets to its
// place by one rename once all of it is there and kiln verify --no-rebuild finds it whole, and `current` stays where it
// is. Contents that another build of the cluster has are linked from it; what is left of a transfer that broke off is
// kept in <out>/<cluster>/.pull-DIGEST, for the next one. Errors: REFERENCE: the registry has no such build; CORRUPT,
// CHECKSUM, DIFFERENT, SIGNATURE: it has something else, of which nothing is left; LOCKED; and the registry's.
must_check bool build_pull(struct registry *registry, const struct build_pull_options *options,
                           struct build_pull_result *ret, struct err *err);

#endif
