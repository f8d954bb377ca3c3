// SPDX-License-Identifier: MIT
// What holds: every value of a cluster, its release and its roles, with where it is written. For people, and `kiln
// show`.
#ifndef KILN_PROFILE_EFFECTIVE_H
#define KILN_PROFILE_EFFECTIVE_H

#include "base/buf.h"
#include "profile/profile.h"

// The keys of the cluster file with their fallbacks, nodes with all of their variables; `release`: the release file's;
// `roles`: by name, joined with what each inherits, in the release's names. A value's place is where it is written;
// "default" for a fallback, no file for what kiln derives. On the arena.
struct value *cluster_effective(struct arena *arena, const struct cluster *cluster);

// What the role writes below a directory, "" for all, as a map from paths to what they are, on the arena.
struct value *role_files_effective(struct arena *arena, const struct role *role, const char *directory);

// All that templates of a node may use: the scope of its role, `node` as kiln-node will have it (node.machine and
// node.interface are examples), `secrets` with "(secret)" for each value. `node` NULL: of a machine that the inventory
// does not know, in `role`.
struct value *cluster_node_scope(struct arena *arena, const struct cluster *cluster, const struct role *role,
                                 const struct node *node);

// A file of the role's configuration as the node will have it; of a link its target. Secrets are shown as "(secret)".
// ERR_TEMPLATE, ERR_SYSTEM.
must_check bool cluster_render_file(const struct cluster *cluster, const struct role *role, const struct node *node,
                                    const struct file *file, struct buf *to, struct err *err);

#endif
