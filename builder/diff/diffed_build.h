// SPDX-License-Identifier: MIT
// One of the two published builds that are compared: what its manifest says, and the configuration layers.
#ifndef KILN_DIFF_DIFFED_BUILD_H
#define KILN_DIFF_DIFFED_BUILD_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "diff/text_diff.h"

struct diffed_build {
        char *path; // resolved
        int dir;
        json_t *manifest; // artefact/manifest.c says what is in it
        json_t *sums;     // path of an artefact -> its object in the manifest; borrowed ones
};

// Opens a build's directory, or the one that `current` in it points to. REFERENCE if there is no build or no manifest,
// CORRUPT for a manifest that is none. To be closed also after an error.
must_check bool diffed_build_open(const char *path, struct diffed_build *ret, struct err *err);
void diffed_build_close(struct diffed_build *build);

const json_t *diffed_build_role(const struct diffed_build *build, const char *role); // NULL: it has none such
// What the manifest says of the artefact ROLE/NAME, or NULL.
const json_t *diffed_build_artefact(const struct diffed_build *build, const char *role, const char *name);

// The files that a role's configuration layer adds, by path.
struct config_layer {
        bool exists;
        struct buf archive; // what the files' contents point into
        struct config_file {
                const char *path; // "/etc/hosts"
                struct text content;
        } * files; // sorted by path
        size_t count;
        struct text root_conf; // kiln/root.conf, which binds the layer to its root
        json_t *node_json;     // /etc/kiln/node.json, NULL: there is none, or it is none
        json_t *nodes;         // its nodes by their names
};

// A build without the artefact has an empty layer, which `exists` tells from one that holds nothing.
must_check bool config_layer_open(const struct diffed_build *build, const char *role, struct config_layer *ret,
                                  struct err *err);
void config_layer_close(struct config_layer *layer);
const struct config_file *config_layer_find(const struct config_layer *layer, const char *path); // NULL: none such

#endif
