// SPDX-License-Identifier: MIT
// `kiln verify`: whether a published build is what was published, and what its profiles and packages give.
#ifndef KILN_VERIFY_VERIFY_H
#define KILN_VERIFY_VERIFY_H

#include "base/err.h"
#include "profile/profile.h"

// Where a build was made from: paths of this machine, which no published file may name. Kept beside the build as
// <out>/<cluster>/.origin-<build id>, mode 0600, since URLs of repositories may hold passwords:
//     {"cache": PATH, "cluster": PATH, "release": NAME or PATH or null, "repositories": ["NAME=URL", ...],
//      "allow_outside": [PATH, ...], "uki_stub": PATH or null}
struct build_origin {
        const char *cluster, *cache,
            *release;                     // absolute paths; release: a name, a path, or NULL for the cluster file's
        const char *const *repositories;  // NULL-terminated NAME=URL
        const char *uki_stub;             // NULL: where Debian has it
        const char *const *allow_outside; // NULL-terminated; profile_options has its meaning
};
char *build_origin_format(const struct build_origin *origin); // heap
// `build` is the published build's path. One that is absent or that this user may not read leaves `ret` as it is.
// Memory is the arena's.
must_check bool build_origin_read(const char *build, struct arena *arena, struct build_origin *ret, struct err *err);

struct verify_options {
        const char *build;          // a published build, a link to one, or a directory with such a link `current`
        struct build_origin origin; // what is not NULL goes before what was noted beside the build
        const char *key_file; // public keys, one of which must have signed the build; NULL: the cluster's trusted_keys
        const char *default_cache;
        bool rebuild; // make it again from its profiles and packages, and compare
        bool offline;
        unsigned jobs;
};

// Compares the published files with SHA256SUMS; the files with what manifest, configuration layers and ISOs say of each
// other; and, if asked, each with what a build from the same lock, options and profiles gives, which is made below the
// cache, with nothing from it but packages, metadata and keys. Errors: SIGNATURE, before all else, for a build that
// none of the trusted keys signed; DIFFERENT names every file that differs and
// where it begins to; INPUTS names the profiles that are not those of the build; and those of build_cluster().
// `ret_summary` is heap.
must_check bool verify_build(const struct verify_options *options, char **ret_summary, struct err *err);

#endif
