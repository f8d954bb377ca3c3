// SPDX-License-Identifier: MIT
// What the files of configure/ share.
#ifndef KILN_CONFIGURE_INTERNAL_H
#define KILN_CONFIGURE_INTERNAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "profile/profile.h"

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
        } * kept;
        size_t kept_count;
        struct arena arena;
};

// Numeric ids of names in the image ("root", "zk", "480"). False with ERR_REFERENCE and the nearest name.
must_check bool accounts_resolve(int root, const char *owner, const char *group, const struct place *place,
                                 unsigned *ret_uid, unsigned *ret_gid, struct err *err);
must_check bool accounts_write(struct config *config, struct err *err);

// A unit as systemd's [Install] section sees it.
struct unit {
        char *name; // "getty@tty1.service"
        char *file; // path in the image, absolute: "/usr/lib/systemd/system/getty@.service"
        bool masked, has_install;
        struct buf wanted_by, required_by, alias, also, default_instance; // words between single spaces
};
// False only on I/O errors; `ret->file` is NULL when there is no such unit.
must_check bool unit_load(int root, const char *name, struct unit *ret, struct err *err);
void unit_release(struct unit *unit);
must_check bool unit_nearest(int root, const char *name, char **ret_name, struct err *err);
must_check bool unit_enable(int root, const struct unit *unit, struct err *err);
must_check bool unit_disable(int root, const char *name, struct err *err);
must_check bool services_write(struct config *config, struct err *err);

char *hosts_lines(const struct cluster *cluster); // heap: the inventory and the VIPs as hosts(5) lines
must_check bool node_json_write(struct config *config, struct err *err);

#endif
