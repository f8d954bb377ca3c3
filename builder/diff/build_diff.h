// SPDX-License-Identifier: MIT
// What changed from one published build to another, read from their manifests and configuration layers.
//
// { "format": 1, "same": false,
//   "from": {"build","cluster","release","serial","path"}, "to": {...},
//   "options": [{"name","from","to"}],            release, http_base, serial, signer, source_date_epoch, --set
//   "artefacts": [{"artefact","from","to"}],      bytes, of what is outside of the roles' folders and differs in more
//                                                 than the build's name: boot loaders, Kickstart files, lists
//   "roles": { NAME: { "change": "same"|"changed"|"new"|"gone",
//       "packages": [{"name","arch","change":"new"|"gone"|"up"|"down"|"rebuilt"|"moved","from","to"}],
//                                                 versions; of "moved", repositories
//       "kernel": null | {"from","to"}, "arguments": null | {"from","to"},
//       "files": [{"path","layer":"root"|"configuration","change":"new"|"gone"|"content"|"attributes",
//                  "from","to" (what the manifest says of it; null: nothing is there),
//                  "diff" (texts of the configuration layer that everybody may read)}],
//       "units": [{"unit","change":"new"|"gone"|"changed"|"enabled"|"disabled"|"masked"|"unmasked"}],
//       "users": [{"name","kind":"user"|"group","change":"new"|"gone"|"changed"}],
//       "sizes": [{"artefact","from","to"}] } },  bytes, of those whose content differs
//   "nodes": { NAME: { "role","change":"nothing"|"configuration"|"kernel"|"root"|"role"|"new"|"gone"|"unknown",
//       "bytes": what its next boot loads that it did not have before, "why": [texts],
//       "files": [{"path","diff"}] } } }          templates as they are rendered on it; "diff" as above
//
// "unknown" are the nodes of a role of which one build has no configuration layer, as --only may leave it.
// "nothing" is a node whose kernel, initrd, root, arguments, configuration and own boot files are the same but for the
// build's name; it
// need not boot again.
#ifndef KILN_DIFF_BUILD_DIFF_H
#define KILN_DIFF_BUILD_DIFF_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

// Both are paths of builds. `ret` is a new object. Errors: REFERENCE for what is no build, CORRUPT for one whose
// manifest or configuration layer cannot be read.
must_check bool build_diff(const char *from, const char *to, json_t **ret, struct err *err);

// How it is shown. `node`: its part alone and in full, or NULL for everything, where a file that is rendered
// differently on many nodes is shown on the first of them.
enum diff_form { DIFF_TEXT, DIFF_MARKDOWN };
void build_diff_print(const json_t *diff, enum diff_form form, const char *node, struct buf *ret);

#endif
