// SPDX-License-Identifier: MIT
// Overlay mounts by the new mount interface (fsopen(2), fsmount(2), open_tree(2)): a mount that was never attached to
// a path cannot be left behind. Format and options: the kernel's Documentation/filesystems/overlayfs.rst.
#include "sandbox/overlay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/user_namespace.h"

enum { LIST_BYTES = 65536 };

static bool fail_mount(const char *what, int number, struct err *err) {
        fail(err, ERR_SYSTEM, number, "%s", what);
        if (number != EINVAL && number != EPERM && number != EOPNOTSUPP)
                return false;
        return hint(err,
                    "put the cache (--cache) and what is built (--out) on ext4, xfs, btrfs or tmpfs: an overlay or a "
                    "network file system cannot carry another overlay");
}

// Paths go in as /proc/self/fd/N: no length limit, no escaping of ":" and ",".
static bool set_option(int context, const char *key, const char *value, struct err *err) {
        if (fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "overlay option %s", key);
        return true;
}

static bool set_dir(int context, const char *key, int fd, struct err *err) {
        auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
        if (fsconfig(context, FSCONFIG_SET_STRING, key, path, 0) == 0)
                return true;
        int number = errno;
        auto_free char *what = xasprintf("mount an overlay with this %s", key);
        return fail_mount(what, number, err); // Linux 6.5 and newer look at it here, older ones when it is mounted
}

static bool set_overlay_options(int context, const int *lowers, size_t lower_count, int upper, int work,
                                struct err *err) {
        // No feature that would put meaning into attributes beyond whiteouts and opaque directories.
        static const char *const features[][2] = {
                { "metacopy", "off" },
                { "redirect_dir", "nofollow" },
                { "index", "off" },
                { "xino", "off" },
        };
        for (size_t i = 0; i < lengthof(features); i++)
                if (!set_option(context, features[i][0], features[i][1], err))
                        return false;
        if (user_namespace_is_mapped() && fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "overlay option userxattr");
        auto_buf list = { 0 };
        for (size_t i = 0; i < lower_count; i++) {
                if (i > 0)
                        buf_append_char(&list, ':');
                buf_printf(&list, "/proc/self/fd/%d", lowers[i]);
        }
        if (!set_option(context, "lowerdir", buf_text(&list), err))
                return false;
        if (upper < 0)
                return true;
        return set_dir(context, "upperdir", upper, err) && set_dir(context, "workdir", work, err);
}

// No mount of an image opens devices or gives a program its owner's rights.
static unsigned mount_attributes(bool read_only) {
        unsigned attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
        if (read_only)
                attributes |= MOUNT_ATTR_RDONLY;
        return attributes;
}

bool overlay_open(const int *lowers, size_t lower_count, int upper, int work, int *ret_fd, struct err *err) {
        bool read_only = upper < 0;
        assert(lower_count > 0 && (!read_only || lower_count > 1));
        auto_close int context = fsopen("overlay", FSOPEN_CLOEXEC);
        if (context < 0)
                return fail(err, ERR_SANDBOX, errno, "overlayfs");
        if (!set_overlay_options(context, lowers, lower_count, upper, work, err))
                return false;
        if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return fail_mount("mount an overlay", errno, err);
        int fd = fsmount(context, FSMOUNT_CLOEXEC, mount_attributes(read_only));
        if (fd < 0)
                return fail_mount("mount an overlay", errno, err);
        *ret_fd = fd;
        return true;
}

bool overlay_bind(int dir, bool read_only, int *ret_fd, struct err *err) {
        auto_close int fd = open_tree(dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        // Attributes are set, and never cleared: those that a user namespace inherits are locked.
        struct mount_attr attributes = { .attr_set = mount_attributes(read_only) };
        if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
                return fail(err, ERR_SYSTEM, errno, "bind a directory");
        *ret_fd = take_fd(fd);
        return true;
}

bool overlay_copy_top(int upper, int lower, struct err *err) {
        struct stat stat;
        if (fstat(lower, &stat) < 0 || fchown(upper, stat.st_uid, stat.st_gid) < 0 ||
            fchmod(upper, stat.st_mode & 07777) < 0)
                return fail(err, ERR_SYSTEM, errno, "give a layer the owner and mode of what lies below it");
        return true;
}

// An opaque mark hides a directory of the lower tree. overlayfs also sets it on directories that are simply new, where
// it means nothing and can go.
static bool check_opaque(int lower, const char *path, struct err *err) {
        struct stat stat;
        if (fstatat(lower, path, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(stat.st_mode))
                return true;
        return fail(err, ERR_REFERENCE, 0,
                    "/%s is removed and made again, which the configuration layer cannot express", path);
}

// A mark of overlayfs, of which user.* are those in a user namespace; else NULL.
static const char *overlay_mark(const char *attribute) {
        bool may_be_mark = strncmp(attribute, "user.", 5) == 0 || strncmp(attribute, "trusted.", 8) == 0;
        if (!may_be_mark)
                return NULL;
        return strstr(attribute, ".overlay.");
}

static bool clean_attributes(int lower, const char *file, const char *path, struct err *err) {
        char names[LIST_BYTES];
        ssize_t size = llistxattr(file, names, sizeof names);
        if (size < 0)
                return errno == ENOTSUP || fail(err, ERR_SYSTEM, errno, "list attributes of %s", path);
        for (const char *name = names; name < names + size; name += strlen(name) + 1) {
                const char *mark = overlay_mark(name);
                if (!mark)
                        continue;
                if (strcmp(mark, ".overlay.opaque") == 0 && !check_opaque(lower, path, err))
                        return false;
                if (lremovexattr(file, name) < 0)
                        return fail(err, ERR_SYSTEM, errno, "remove attribute %s of %s", name, path);
        }
        return true;
}

static bool clean_entry(const struct fs_entry *entry, void *context, struct err *err) {
        const int *lower = context;
        if (!S_ISREG(entry->stat->st_mode) && !S_ISDIR(entry->stat->st_mode))
                return true;
        auto_free char *file = xasprintf("/proc/self/fd/%d/%s", entry->parent, entry->name);
        return clean_attributes(*lower, file, entry->path, err);
}

bool overlay_clean_upper(int upper, int lower, struct err *err) {
        auto_free char *file = xasprintf("/proc/self/fd/%d/.", upper);
        return clean_attributes(lower, file, ".kiln-top", err) && fs_walk(upper, clean_entry, &lower, err);
}
