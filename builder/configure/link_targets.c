// SPDX-License-Identifier: MIT
// Whether the links of a role lead anywhere: a wrong time zone is a link to nothing, which no program tells.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "shared/place.h"

// What only a running node has.
static const char *const of_the_node[] = { "/run", "/var/run", "/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/mnt" };

static bool is_below_directory(const char *path, const char *directory) {
        size_t size = strlen(directory);
        return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

// The path that a link in the image names, without "." and ".."; heap.
static char *absolute_target(const struct file *file) {
        auto_free char *joined = xstrdup(file->link);
        if (*file->link != '/') {
                int parent = (int)(strrchr(file->path, '/') - file->path);
                free(joined);
                joined = xasprintf("%.*s/%s", parent, file->path, file->link);
        }
        char *clean = xcalloc(1, strlen(joined) + 2);
        char *state = NULL;
        for (char *part = strtok_r(joined, "/", &state); part; part = strtok_r(NULL, "/", &state)) {
                char *end = clean + strlen(clean);
                if (strcmp(part, ".") == 0)
                        continue;
                if (strcmp(part, "..") != 0) {
                        *end = '/';
                        memcpy(end + 1, part, strlen(part) + 1);
                        continue;
                }
                char *slash = strrchr(clean, '/');
                if (slash)
                        *slash = '\0';
        }
        return clean;
}

static bool is_made_on_the_node(const struct config *config, const char *target) {
        for (size_t i = 0; i < lengthof(of_the_node); i++)
                if (is_below_directory(target, of_the_node[i]))
                        return true;
        for (size_t i = 0; i < config->role->state_count; i++)
                if (is_below_directory(target, config->role->state[i].path))
                        return true;
        for (size_t i = 0; i < config->kept_count; i++)
                if (strcmp(target, config->kept[i].path) == 0)
                        return true;
        return false;
}

static bool leads_somewhere(const struct config *config, const struct file *file) {
        auto_close int fd = -1;
        auto_err absent = { 0 };
        auto_free char *target = absolute_target(file);
        return fs_open_in_root(config->root, file->path, O_PATH, 0, &fd, &absent) ||
               is_made_on_the_node(config, target);
}

bool link_targets_check(struct config *config, struct err *err) {
        const struct role *role = config->role;
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                if (!file->link || !tree_exists(config->root, file->path) || leads_somewhere(config, file))
                        continue;
                (void)fail_at(err, ERR_REFERENCE, &file->place,
                              "role %s: %s is a link to %s, which the image does not have", role->name, file->path,
                              file->link);
                return hint(err,
                            "a package that has it may be missing; what a node makes itself is below /run or one of "
                            "the role's `state` paths");
        }
        return true;
}
