// SPDX-License-Identifier: MIT
// Files inside a writable image. Every path is resolved as if the image were "/": its own links cannot lead outside.
#include "rootfs/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/user_namespace.h"

// Makes a directory unless it is there; one that is keeps its owner and mode, and links to it are followed inside.
static bool make_if_absent(int root, const char *path, struct err *err) {
        auto_err missing = { 0 };
        auto_close int fd = -1;
        if (fs_open_in_root(root, path, O_PATH | O_DIRECTORY, 0, &fd, &missing))
                return true;
        if (missing.number == ENOENT)
                return tree_mkdir(root, path, 0755, 0, 0, err);
        return fail(err, ERR_SYSTEM, missing.number, "make the directory %s in the image", path);
}

static bool make_parents_in_image(int root, const char *path, struct err *err) {
        auto_free char *parent = xstrdup(path);
        for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (!make_if_absent(root, parent, err))
                        return false;
                *slash = '/';
        }
        return true;
}

static char *parent_of(const char *path) {
        const char *slash = strrchr(path, '/');
        if (!slash || slash == path)
                return xstrdup("/");
        return xstrndup(path, (size_t)(slash - path));
}

bool tree_open_parent(int root, const char *path, bool create, int *ret_fd, const char **ret_name, struct err *err) {
        assert(path && ret_fd && ret_name);
        if (!fs_path_is_safe(path))
                return fail(err, ERR_REFERENCE, 0, "%s leaves the image", path);
        const char *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        if (!*name)
                return fail(err, ERR_REFERENCE, 0, "%s ends in \"/\"", path);
        if (create && !make_parents_in_image(root, path, err))
                return false;
        auto_free char *parent = parent_of(path);
        *ret_name = name;
        return fs_open_in_root(root, parent, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

static bool set_owner(int fd, const char *path, unsigned mode, unsigned uid, unsigned gid, struct err *err) {
        // chown first: it clears the setuid bit
        if (fchown(fd, uid, gid) == 0 && fchmod(fd, (mode_t)mode) == 0)
                return true;
        bool is_no_id_here = errno == EINVAL;
        fail(err, ERR_SYSTEM, errno, "set the owner and mode of %s: %u:%u, %04o", path, uid, gid, mode);
        return is_no_id_here && user_namespace_hint_ids(err);
}

bool tree_write(int root, const char *path, const void *data, size_t size, unsigned mode, unsigned uid, unsigned gid,
                struct err *err) {
        auto_close int parent = -1;
        auto_close int file = -1;
        const char *name;
        struct stat stat;
        if (!tree_open_parent(root, path, true, &parent, &name, err))
                return false;
        if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode))
                return fail(err, ERR_REFERENCE, 0, "%s is a directory in the image", path);
        // A link is replaced, not followed; other hard links of the file are left alone.
        if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "replace %s", path);
        return fs_open(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &file, err) &&
               fs_write_all(file, data, size, err) && set_owner(file, path, mode, uid, gid, err);
}

bool tree_link(int root, const char *path, const char *target, struct err *err) {
        auto_close int parent = -1;
        const char *name;
        struct stat stat;
        if (!tree_open_parent(root, path, true, &parent, &name, err))
                return false;
        if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode))
                return fail(err, ERR_REFERENCE, 0, "%s is a directory in the image, and cannot become a link", path);
        char old[4096];
        ssize_t length = readlinkat(parent, name, old, sizeof old);
        if (length == (ssize_t)strlen(target) && memcmp(old, target, (size_t)length) == 0)
                return true; // as the packages have it: no need for a copy in the configuration layer
        if ((unlinkat(parent, name, 0) < 0 && errno != ENOENT) || symlinkat(target, parent, name) < 0)
                return fail(err, ERR_SYSTEM, errno, "make the link %s", path);
        return true;
}

bool tree_mkdir(int root, const char *path, unsigned mode, unsigned uid, unsigned gid, struct err *err) {
        auto_close int parent = -1;
        auto_close int dir = -1;
        const char *name;
        if (!tree_open_parent(root, path, true, &parent, &name, err))
                return false;
        if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "make the directory %s", path);
        return fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &dir, err) &&
               set_owner(dir, path, mode, uid, gid, err);
}

bool tree_remove(int root, const char *path, struct err *err) {
        auto_close int parent = -1;
        const char *name;
        auto_err missing = { 0 };
        if (!fs_path_is_safe(path))
                return fail(err, ERR_REFERENCE, 0, "%s leaves the image", path);
        if (!tree_open_parent(root, path, false, &parent, &name, &missing)) {
                if (missing.number == ENOENT || missing.number == ENOTDIR)
                        return true;
                return fail(err, missing.kind, missing.number, "remove %s", path);
        }
        return fs_remove_tree(parent, name, err);
}

bool tree_read(int root, const char *path, struct buf *ret_text, struct err *err) {
        auto_close int file = -1;
        auto_err missing = { 0 };
        if (!fs_open_in_root(root, path, O_RDONLY, 0, &file, &missing)) {
                if (missing.number == ENOENT || missing.number == ENOTDIR)
                        return true;
                return fail(err, ERR_SYSTEM, missing.number, "read %s", path);
        }
        return buf_read_fd(ret_text, file, err) || wrap(err, "%s", path);
}

bool tree_exists(int root, const char *path) {
        auto_close int parent = -1;
        const char *name;
        auto_err ignored = { 0 };
        return tree_open_parent(root, path, false, &parent, &name, &ignored) && fs_exists(parent, name);
}

static bool set_entry_times(const struct fs_entry *entry, void *context, struct err *err) {
        const struct timespec *times = context;
        return utimensat(entry->parent, entry->name, times, AT_SYMLINK_NOFOLLOW) == 0 ||
               fail(err, ERR_SYSTEM, errno, "set the time of %s", entry->path);
}

bool tree_settle(int dir, int64_t seconds, struct err *err) {
        struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
        return fs_walk(dir, set_entry_times, times, err);
}
