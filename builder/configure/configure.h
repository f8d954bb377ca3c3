// SPDX-License-Identifier: MIT
// The configuration layer of a role.
#ifndef KILN_CONFIGURE_CONFIGURE_H
#define KILN_CONFIGURE_CONFIGURE_H

#include <stdint.h>

#include "base/err.h"
#include "profile/profile.h"

// The configuration layer of a role over a mounted root: overlays, rendered files, templates left for the node, users,
// services, presets, default target, sysctl, removed paths, /etc/machine-id, node.json, kiln-node and its unit. `work`
// is an empty directory that becomes the overlay's upper directory (not the root of a mount: a scratch directory is
// made beside it for a moment). Whiteouts are character devices 0:0, also as a plain user, which the caller packs as
// such. Owners are the final numeric ids, every time stamp is `source_date_epoch`. Errors: REFERENCE (unit, user,
// group, file), TEMPLATE.
must_check bool config_layer_write(const struct cluster *cluster, const struct role *role, int root,
                                   const char *build_id, const char *kiln_node_path, int64_t source_date_epoch,
                                   int work, struct err *err);

// /etc/hosts of every image: localhost, the inventory and the VIPs; heap.
char *hosts_text(const struct cluster *cluster);

// kiln's own units that an image may have, files of firmware/node: the name of number `index`; NULL after the last.
const char *configure_own_unit(size_t index);

#endif
