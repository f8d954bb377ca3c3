// SPDX-License-Identifier: MIT
#include "build/phases.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "artefact/artefact.h"
#include "base/fs.h"
#include "base/parallel.h"
#include "configure/configure.h"

static bool configure_role(size_t index, void *context, struct err *err) {
        struct build *build = context;
        struct role_build *role = &build->roles[index];
        auto_free char *path = xasprintf("%s/%s", build->config_dir, role->role->name);
        bool is_open = layer_mount(&build->rootfs, role->layer, &role->root, err) &&
                       fs_mkdirs(build->publication.dir, path, 0755, err) &&
                       fs_open_dir(build->publication.dir, path, &role->config, err);
        // A root that is only packed may have no systemd, and none of what a configuration names.
        if (is_open && !artefacts_configure(build->cluster, build->options->only))
                return true;
        return (is_open &&
                config_layer_write(build->cluster, role->role, role->root.fd, build->id, build->locations.kiln_node,
                                   build->rootfs.source_date_epoch, role->config, err)) ||
               wrap(err, "configuring role %s", role->role->name);
}

bool phase_configure(struct build *build, struct err *err) {
        if (!fs_make_temporary_dir(build->publication.dir, STAGING_PREFIX "work", &build->config_dir, err))
                return false;
        // Files as they will be on the node: setuid perhaps, and with its secrets.
        if (fchmodat(build->publication.dir, build->config_dir, 0700, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod %s", build->config_dir);
        return parallel_for(build->role_count, build->options->jobs, configure_role, build, err);
}
