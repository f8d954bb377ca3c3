// SPDX-License-Identifier: MIT
// /etc/.updated and /var/.updated, by which systemd knows that what it derives from files of the image is up to date
// (rootfs/system_update.h). The node compares their times with that of /usr, which the configuration layer always
// holds, for kiln-node lies there: so it holds these two as well, with the same time.
#include <string.h>

#include "base/mem.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"

static const char etc_stamp[] = "/etc/.updated", var_stamp[] = "/var/.updated";

// What the tools read. A role that adds to it wants them to run.
static const struct update_source {
        const char *prefix, *stamp;
} sources[] = {
        { "/etc/udev/hwdb.d/", etc_stamp },         { "/usr/lib/udev/hwdb.d/", etc_stamp },
        { "/lib/udev/hwdb.d/", etc_stamp },         { "/etc/ld.so.conf", etc_stamp },
        { "/etc/sysusers.d/", etc_stamp },          { "/usr/lib/sysusers.d/", etc_stamp },
        { "/usr/lib/systemd/catalog/", var_stamp }, { "/usr/local/lib/systemd/catalog/", var_stamp },
};

static bool is_below(const char *path, const struct update_source *source) {
        return strncmp(path, source->prefix, strlen(source->prefix)) == 0;
}

static bool is_of_source(const struct role *role, const struct update_source *source) {
        for (size_t i = 0; i < role->file_count; i++)
                if (!role->files[i].is_directory && is_below(role->files[i].path, source))
                        return true;
        for (size_t i = 0; i < role->remove.count; i++)
                if (is_below(role->remove.items[i], source))
                        return true;
        return false;
}

static bool needs_update(const struct role *role, const char *stamp) {
        for (size_t i = 0; i < lengthof(sources); i++)
                if (strcmp(sources[i].stamp, stamp) == 0 && is_of_source(role, &sources[i]))
                        return true;
        return false;
}

static bool write_stamp(struct config *config, const char *stamp, struct err *err) {
        if (!tree_exists(config->root, stamp))
                return true;
        if (needs_update(config->role, stamp))
                return tree_remove(config->root, stamp, err);
        return tree_write(config->root, stamp, "", 0, 0644, 0, 0, err);
}

bool update_stamps_write(struct config *config, struct err *err) {
        return write_stamp(config, etc_stamp, err) && write_stamp(config, var_stamp, err);
}
