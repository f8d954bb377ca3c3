// SPDX-License-Identifier: MIT
#include "firmware/node/root/root.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

enum { LINKS_MAX = 40, DEPTH_MAX = 64 };

// The directories from the root down to where we are, so that ".." needs no trust in the tree.
struct walk {
        int fds[DEPTH_MAX];
        size_t depth;
        int links;
        bool has_state_disk;
        dev_t state_disk;
};

static void walk_release(struct walk *walk) {
        while (walk->depth > 0)
                close(walk->fds[--walk->depth]);
}
#define auto_walk __attribute__((cleanup(walk_release))) struct walk

static int walk_here(const struct walk *walk) { return walk->fds[walk->depth - 1]; }

static void walk_up_to(struct walk *walk, size_t depth) {
        while (walk->depth > depth)
                close(walk->fds[--walk->depth]);
}

static bool walk_path(struct walk *walk, const char *path, bool create, struct err *err);

// Reads the link `name` where we are; false leaves errno set.
static bool read_link_here(const struct walk *walk, const char *name, char ret_target[static PATH_MAX]) {
        ssize_t size = readlinkat(walk_here(walk), name, ret_target, PATH_MAX - 1);
        if (size < 0)
                return false;
        ret_target[size] = '\0';
        return true;
}

// Whether the links where we are lie on the state disk. The root's writable layer, though it may lie there as well, is
// a file system of its own, and new at each boot.
static bool is_on_state_disk(const struct walk *walk) {
        struct stat stat;
        return walk->has_state_disk && (fstat(walk_here(walk), &stat) < 0 || stat.st_dev == walk->state_disk);
}

static bool check_link(struct walk *walk, const char *name, struct err *err) {
        if (is_on_state_disk(walk)) {
                (void)fail(err, ERR_CORRUPT, 0, "%s is a link on the state disk, where none is followed", name);
                return hint(err, "remove it there; what the profile writes below a state path needs directories");
        }
        return ++walk->links <= LINKS_MAX || fail(err, ERR_SYSTEM, ELOOP, "open %s", name);
}

static bool walk_into(struct walk *walk, const char *name, bool create, struct err *err) {
        if (strcmp(name, "..") == 0) {
                if (walk->depth > 1) // ".." of the root is the root
                        walk_up_to(walk, walk->depth - 1);
                return true;
        }
        if (walk->depth == DEPTH_MAX)
                return fail(err, ERR_SYSTEM, ENAMETOOLONG, "%s", name);
        enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
        int fd = openat(walk_here(walk), name, FLAGS);
        if (fd < 0 && errno == ENOENT && create) {
                if (mkdirat(walk_here(walk), name, 0755) < 0 && errno != EEXIST)
                        return fail(err, ERR_SYSTEM, errno, "make directory %s", name);
                fd = openat(walk_here(walk), name, FLAGS);
                if (fd >= 0)
                        (void)!fchmod(fd, 0755); // whatever the umask was
        }
        if (fd >= 0) {
                walk->fds[walk->depth++] = fd;
                return true;
        }
        int number = errno;
        char target[PATH_MAX];
        if ((number != ELOOP && number != ENOTDIR) || !read_link_here(walk, name, target))
                return fail(err, ERR_SYSTEM, number, "open %s", name);
        return check_link(walk, name, err) && walk_path(walk, target, create, err);
}

static bool walk_path(struct walk *walk, const char *path, bool create, struct err *err) {
        if (path[0] == '/')
                walk_up_to(walk, 1);
        while (*path) {
                char name[NAME_MAX + 1];
                size_t size = strcspn(path, "/");
                if (size > NAME_MAX)
                        return fail(err, ERR_SYSTEM, ENAMETOOLONG, "%s", path);
                memcpy(name, path, size);
                name[size] = '\0';
                path += size;
                if (*path == '/')
                        path++;
                if (*name && strcmp(name, ".") != 0 && !walk_into(walk, name, create, err))
                        return false;
        }
        return true;
}

// A directory that is no mount point is no disk.
static void find_state_disk(struct walk *walk, int root) {
        struct stat disk = { 0 }, above;
        walk->has_state_disk = fstatat(root, &ROOT_STATE_DISK[1], &disk, AT_SYMLINK_NOFOLLOW) == 0 &&
                               fstatat(root, "run/kiln", &above, AT_SYMLINK_NOFOLLOW) == 0 &&
                               disk.st_dev != above.st_dev;
        walk->state_disk = disk.st_dev;
}

static bool walk_start(struct walk *walk, int root, struct err *err) {
        int fd = fcntl(root, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open the root");
        walk->fds[walk->depth++] = fd;
        find_state_disk(walk, root);
        return true;
}

static bool walk_to_parent(struct walk *walk, const char *path, bool create, const char **ret_name, struct err *err) {
        const char *slash = strrchr(path, '/');
        const char *name = path;
        if (slash)
                name = slash + 1;
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > NAME_MAX)
                return fail(err, ERR_SYSTEM, EINVAL, "%s", path);
        auto_free char *parent = xstrndup(path, (size_t)(name - path));
        if (!walk_path(walk, parent, create, err))
                return wrap(err, "%s", path);
        *ret_name = name;
        return true;
}

bool root_open_parent(int root, const char *path, bool create, int *ret_dir, char **ret_name, struct err *err) {
        auto_walk walk = { .depth = 0 };
        const char *name;
        if (!walk_start(&walk, root, err) || !walk_to_parent(&walk, path, create, &name, err))
                return false;
        *ret_name = xstrdup(name);
        *ret_dir = walk.fds[--walk.depth];
        return true;
}

// Follows links of the last part, each from the directory it stands in.
static bool open_for_reading(struct walk *walk, const char *path, int *ret_fd, struct err *err) {
        auto_free char *at = xstrdup(path);
        for (;;) {
                const char *name;
                if (!walk_to_parent(walk, at, false, &name, err))
                        return false;
                int fd = openat(walk_here(walk), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0) {
                        *ret_fd = fd;
                        return true;
                }
                int number = errno;
                char target[PATH_MAX];
                if (number != ELOOP || !read_link_here(walk, name, target))
                        return fail(err, ERR_SYSTEM, number, "open %s", path);
                if (!check_link(walk, name, err))
                        return wrap(err, "%s", path);
                free(at);
                at = xstrdup(target);
        }
}

bool root_read(int root, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        assert(root >= 0);
        auto_walk walk = { .depth = 0 };
        auto_close int fd = -1;
        if (!walk_start(&walk, root, err))
                return false;
        if (!open_for_reading(&walk, path, &fd, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                *ret_found = false;
                return true;
        }
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "%s", path);
        if (!S_ISREG(stat.st_mode))
                return fail(err, ERR_SYSTEM, 0, "%s is no regular file", path);
        *ret_found = true;
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

static bool attributes_are_right(const struct stat *stat, const struct root_file *file) {
        bool has_mode = S_ISREG(stat->st_mode) && (stat->st_mode & 07777) == file->mode;
        bool has_owner = stat->st_uid == file->uid && stat->st_gid == file->gid;
        return has_mode && has_owner && (size_t)stat->st_size == file->size;
}

static bool file_is_right(int dir, const char *name, const struct root_file *file) {
        auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat stat;
        if (fd < 0 || fstat(fd, &stat) < 0 || !attributes_are_right(&stat, file))
                return false;
        auto_buf found = { .max = file->size + 65536 };
        auto_err ignored = { 0 };
        return buf_read_fd(&found, fd, &ignored) && found.size == file->size &&
               memcmp(buf_text(&found), file->content, file->size) == 0;
}

static bool fill_file(int fd, const struct root_file *file, struct err *err) {
        const char *at = file->content;
        for (size_t left = file->size; left > 0;) {
                ssize_t done = write(fd, at, left);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return fail(err, ERR_SYSTEM, errno, "write");
                at += done;
                left -= (size_t)done;
        }
        // Owner before mode: chown clears the setuid bit.
        if (fchown(fd, file->uid, file->gid) < 0)
                return fail(err, ERR_SYSTEM, errno, "change the owner");
        if (fchmod(fd, file->mode) < 0)
                return fail(err, ERR_SYSTEM, errno, "change the mode");
        return true;
}

// Hidden, since the Mesos wrappers take every other file of their directories for a flag; the same at each run, so that
// one left by a killed run is found.
static char *root_temporary_name(const char *name) { return xasprintf(".%.200s.kiln", name); }

// The content is on the disk before the name is: a power cut leaves the old file or the new one, never an empty one. On
// tmpfs that costs nothing, and only files that change are written.
static bool write_new(int dir, const char *name, const char *temporary, const struct root_file *file, struct err *err) {
        auto_close int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "%s: create", file->path);
        if (!fill_file(fd, file, err))
                return wrap(err, "%s", file->path);
        if (fsync(fd) < 0 && errno != EINVAL)
                return fail(err, ERR_SYSTEM, errno, "%s: write to disk", file->path);
        return renameat(dir, temporary, dir, name) == 0 || fail(err, ERR_SYSTEM, errno, "%s: rename", file->path);
}

static bool replace_file(int root, const struct root_file *file, bool *ret_changed, struct err *err) {
        auto_close int dir = -1;
        auto_free char *name = NULL;
        if (!root_open_parent(root, file->path, true, &dir, &name, err))
                return false;
        auto_free char *temporary = root_temporary_name(name);
        int number = 0;
        if (unlinkat(dir, temporary, 0) < 0)
                number = errno;
        *ret_changed = !file_is_right(dir, name, file);
        if (!*ret_changed)
                return true;
        if (number && number != ENOENT && number != EROFS) // which creating says better
                return fail(err, ERR_SYSTEM, number, "%s: remove what a killed run left", file->path);
        if (write_new(dir, name, temporary, file, err))
                return true;
        unlinkat(dir, temporary, 0);
        return false;
}

bool root_write(int root, const struct root_file *file, bool *ret_changed, struct err *err) {
        assert(root >= 0 && file->path && (file->content || file->size == 0) && (file->mode & ~07777u) == 0);
        if (replace_file(root, file, ret_changed, err))
                return true;
        return err->number == EROFS &&
               hint(err, "the root has to be writable: an overlay on tmpfs or on the state disk, "
                         "or a disk that is mounted read-write");
}

bool root_remove(int root, const char *path, bool *ret_changed, struct err *err) {
        auto_close int dir = -1;
        auto_free char *name = NULL;
        *ret_changed = false;
        if (!root_open_parent(root, path, false, &dir, &name, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                return true;
        }
        auto_free char *temporary = root_temporary_name(name);
        unlinkat(dir, temporary, 0);
        if (unlinkat(dir, name, 0) == 0)
                *ret_changed = true;
        else if (errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "remove %s", path);
        return true;
}
