// SPDX-License-Identifier: MIT
// What the writers of a configuration layer share: the layer in the making, and a function a subject. Units are
// unit.h's.
#ifndef KILN_CONFIGURE_INTERNAL_H
#define KILN_CONFIGURE_INTERNAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

// A configuration layer in the making.
struct config {
        const struct cluster *cluster;
        const struct role *role;
        int root; // the writable merged tree
        int64_t source_date_epoch;
        const char *build_id;
        struct value *scope;
        struct kept_template {
                const char *path, *source;
                unsigned mode, uid, gid;
                struct strings secrets;         // without one of these it is not rendered,
                const struct strings *services; // and these units stay down
        } * kept;
        size_t kept_count;
        struct strings secrets; // of all of them, also those that they can do without
        struct arena arena;
};

// Numeric ids of names in the image ("root", "zk", "480"). False with ERR_REFERENCE and the nearest name.
must_check bool accounts_resolve(int root, const char *owner, const char *group, const struct place *place,
                                 unsigned *ret_uid, unsigned *ret_gid, struct err *err);
// Adds the role's users to the image's passwd(5) and its kin, and makes their homes.
must_check bool accounts_write(struct config *config, struct err *err);

struct unit;
// A unit that the role names. False with ERR_REFERENCE and the nearest name, where the role names it, if there is none.
// To be released in any case.
must_check bool unit_load_wanted(struct config *config, const char *name, struct unit *ret, struct err *err);

// Makes the units that need a secret wait for it, by kiln's own unit for each secret: after all files.
must_check bool secret_units_write(struct config *config, struct err *err);

// Enables, disables and presets what the role says, and kiln's own units.
must_check bool services_write(struct config *config, struct err *err);

// REFERENCE where the profile names a link that leads to nothing: when the layer is written.
must_check bool link_targets_check(struct config *config, struct err *err);

// Keeps, or takes away, what tells systemd that nothing of the image needs an update: after all files.
must_check bool update_stamps_write(struct config *config, struct err *err);

// The inventory and the VIPs as hosts(5) lines; heap.
char *hosts_lines(const struct cluster *cluster);
// Writes /etc/kiln/node.json, which names the kept templates: after all files. CLUSTER for an inventory that is too
// large for a node to read.
must_check bool node_json_write(struct config *config, struct err *err);

#endif
