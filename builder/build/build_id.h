// SPDX-License-Identifier: MIT
// The identity of a build: a hash of everything that decides its bits.
#ifndef KILN_BUILD_BUILD_ID_H
#define KILN_BUILD_BUILD_ID_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/locations.h"
#include "packages/packages.h"
#include "profile/profile.h"

enum { BUILD_ID_SIZE = 17 }; // 16 lower-case hex digits and NUL

struct build_facts {
        const struct cluster *cluster;
        const json_t *inputs;           // build_inputs()
        const struct package_set *sets; // one a role, in the order of `roles`
        const struct package_set *base; // installed first, which may decide user ids
        const struct package_set *bootloader;
        const struct role *const *roles;
        size_t role_count;
        const struct strings *only;
        const char *http_base; // or NULL
        int64_t source_date_epoch;
        uint64_t serial;
};

// What decides a build beside its options and packages, none of it a path of this machine:
//     { "version", "code": digest of kiln's sources, "files": { "profiles/cluster.yaml": sha256, ... } }
// Files that kiln brings along are named kiln/...
// `uki_stub`: the EFI stub, or NULL where no unified kernel image is made.
must_check bool build_inputs(const struct cluster *cluster, const struct locations *locations, const char *uki_stub,
                             json_t **ret, struct err *err);

void build_id_make(const struct build_facts *facts, char ret_id[static BUILD_ID_SIZE]);

#endif
