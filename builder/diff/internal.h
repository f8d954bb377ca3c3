// SPDX-License-Identifier: MIT
// The parts of a comparison; build_diff.h says what each list holds. Returned objects are new.
#ifndef KILN_DIFF_INTERNAL_H
#define KILN_DIFF_INTERNAL_H

#include <sys/stat.h>

#include "diff/diffed_build.h"

// Two states of one role. The objects are those of the manifests, NULL in a build that does not have the role.
struct role_pair {
        const char *name;
        const json_t *from, *to;
        struct config_layer from_layer, to_layer;
};

json_t *diff_packages(const json_t *from, const json_t *to); // of the two objects of a role

json_t *diff_files(const struct role_pair *roles);
json_t *diff_units(const json_t *files); // what diff_files() found, in the terms of systemd.unit(5)

// Appends to the array `ret`.
must_check bool diff_accounts(const struct diffed_build *from, const struct diffed_build *to,
                              const struct role_pair *roles, json_t *ret, struct err *err);

// Whether not everybody may read a file of this mode: its text is not shown, as comparisons are pasted into comments.
static inline bool mode_is_private(long mode) { return (mode & S_IROTH) == 0; }

bool diffed_file_is_private(const json_t *file); // as a manifest has it; NULL and null are not

// Sets the member "diff" to the unified diff of two files, if both are texts; NULL: there is no such file.
void set_text_diff(json_t *object, const struct text *from, const struct text *to);

struct build_pair {
        struct diffed_build from, to;
};

// What differs outside of the folders of roles, but for the build's name.
json_t *diff_artefacts(const struct build_pair *builds);

// Of those, what a node boots by, as "mac/52-54-00-00-00-01.ipxe, grubx64.efi"; nothing if it is the same. `entry` is
// the node's in node.json.
void append_booted_by(const json_t *artefacts, const json_t *entry, struct buf *ret);

// The nodes of one role of the newer build, added to the object `ret` by their names. `role_diff` is what was found of
// the role, `artefacts` what diff_artefacts() found.
void diff_nodes(const struct build_pair *builds, const struct role_pair *roles, const json_t *role_diff,
                const json_t *artefacts, json_t *ret);

// The same where one of the builds has the role without its configuration layer, and with it all that is known of
// nodes.
void diff_unknown_nodes(const struct build_pair *builds, const struct role_pair *roles, json_t *ret);

// After all roles: nodes that are in the older build alone are "gone", and one that is "new" in a role that the older
// build does not have, but was there in another, changes its role. `former_roles`: role of each node of that build.
void finish_nodes(const struct build_pair *builds, const json_t *former_roles, json_t *nodes);

#endif
