// SPDX-License-Identifier: MIT
// Who asks a registry, as `podman login` and `docker login` have left it, in podman's order: $REGISTRY_AUTH_FILE,
// $XDG_RUNTIME_DIR/containers/auth.json or /run/containers/UID/auth.json, and $DOCKER_CONFIG/config.json or
// ~/.docker/config.json; of each, `credHelpers`, `credsStore` and `auths`. The first file that knows the registry
// counts.
#ifndef KILN_REGISTRY_CREDENTIALS_H
#define KILN_REGISTRY_CREDENTIALS_H

#include "base/err.h"

// All NULL: nobody in particular. Heap.
struct credentials {
        char *user, *password;
        char *identity_token; // stands for both where tokens are given
};

// SYNTAX: a file that is none of docker's; TOOL: a helper that cannot be run, or does not answer as one.
must_check bool credentials_find(const char *authority, const char *repository, struct credentials *ret,
                                 struct err *err);
void credentials_release(struct credentials *credentials); // wipes them

#endif
