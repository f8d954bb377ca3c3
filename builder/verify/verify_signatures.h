// SPDX-License-Identifier: MIT
// The signatures of a published build.
#ifndef KILN_VERIFY_VERIFY_SIGNATURES_H
#define KILN_VERIFY_VERIFY_SIGNATURES_H

#include "artefact/artefact.h"
#include "base/mem.h"
#include "verify/published.h"
#include "verify/verify.h"

// Checks every signature by the keys of options->key_file, or else by the trusted_keys of the cluster file. `ret_said`
// is what there is to say: by which key, that it is unsigned, that nothing says whom to trust. SIGNATURE: a signature
// that is missing, wrong or by another key; REFERENCE, SYNTAX and the profile's errors for a file of keys that cannot
// be had. `ret_said` is heap.
must_check bool verify_signatures(const struct published_build *build, const struct verify_options *options,
                                  char **ret_said, struct err *err);

// What the build was signed with, for one that is made again. Memory is the arena's.
must_check bool published_signatures(const struct published_build *build, struct arena *arena,
                                     struct kept_signatures *ret, struct err *err);

#endif
