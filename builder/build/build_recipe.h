// SPDX-License-Identifier: MIT
// What decided a build and each of its steps, kept beside it so that a plan of the next one can say what is different:
//
//     { "format": 1, "kiln": {version, code}, "files": {NAME: sha256}, "options": {...}, "settings": {KEY: text or
//     texts},
//       "roles": { ROLE: {PATH: "DIGEST SHA256"} },            the files that a role's configuration writes: of all
//       that
//                                                              is said of one, and of its source, or ""
//       "steps": { "install web": {"inputs": text or null, "packages": {NAME.ARCH: "EVR CHECKSUM"}, "below": step} } }
//
// `inputs` is the very text whose digest is the key of the step's entry in the cache, a line "WORD VALUE" each; null as
// long as it is not known. It is kept on this machine, and never published: absolute paths may be in it.
#ifndef KILN_BUILD_BUILD_RECIPE_H
#define KILN_BUILD_BUILD_RECIPE_H

#include <jansson.h>

#include "build/phases.h"

enum { RECIPE_FORMAT = 1, RECIPE_MAX_BYTES = 64 << 20 };

#define RECIPE_BASE "install base"
#define RECIPE_BOOTLOADERS "boot loaders"

// Of a build whose layers were found (phase_find_layers()). `artefacts` has roles, with what is known of their kernels.
must_check bool build_recipe_make(const struct build *build, const struct artefact_build *artefacts, json_t **ret,
                                  struct err *err);

// What is kept of a build in that directory; NULL: nothing that can be read. A new object.
json_t *build_recipe_read(int publication_dir, const char *build_id);
// The id of the build in that directory whose recipe was written last; NULL: none. Heap.
char *build_recipe_newest(int publication_dir);

#endif
