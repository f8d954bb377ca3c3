// SPDX-License-Identifier: MIT
#include "firmware/node/root/beneath.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

static const char *kind_of(mode_t mode) {
        static const struct {
                mode_t type;
                const char *name;
        } kinds[] = { { S_IFLNK, "a link" },        { S_IFIFO, "a FIFO" },   { S_IFSOCK, "a socket" },
                      { S_IFCHR, "a device" },      { S_IFBLK, "a device" }, { S_IFDIR, "a directory" },
                      { S_IFREG, "a regular file" } };
        for (size_t i = 0; i < lengthof(kinds); i++)
                if ((mode & S_IFMT) == kinds[i].type)
                        return kinds[i].name;
        return "of an unknown kind";
}

static bool refuse_other_kind(const char *path, mode_t mode, const char *wanted, struct err *err) {
        (void)fail(err, ERR_CORRUPT, 0, "%s is %s, not %s", path, kind_of(mode), wanted);
        return hint(err, "no link is followed on a disk: remove it (its directory and its content are the disk's), or "
                         "put in another disk");
}

// The next part of `*at`, which moves behind it; false at the end. `ret` is empty for a part that no path may have.
static bool next_part(const char **at, char ret[static NAME_MAX + 1]) {
        *at += strspn(*at, "/");
        size_t size = strcspn(*at, "/");
        if (size == 0)
                return false;
        snprintf(ret, NAME_MAX + 1, "%.*s", (int)size, *at);
        if (size > NAME_MAX || strcmp(ret, ".") == 0 || strcmp(ret, "..") == 0)
                ret[0] = '\0';
        *at += size;
        return true;
}

static bool make_here(int dir, const char *name) {
        if (mkdirat(dir, name, 0755) < 0)
                return errno == EEXIST;
        return fchmodat(dir, name, 0755, 0) == 0; // whatever the umask was
}

// `path` is for messages.
static bool enter(int dir, const char *name, bool create, const char *path, int *ret_fd, struct err *err) {
        struct stat stat;
        enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
        *ret_fd = openat(dir, name, FLAGS);
        if (*ret_fd < 0 && errno == ENOENT && create && make_here(dir, name))
                *ret_fd = openat(dir, name, FLAGS);
        if (*ret_fd >= 0)
                return true;
        int number = errno;
        bool is_other_kind = number == ENOTDIR || number == ELOOP;
        if (is_other_kind && fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                return refuse_other_kind(path, stat.st_mode, "a directory", err);
        return fail(err, ERR_SYSTEM, number, "open %s", path);
}

bool beneath_open_directory(int top, const char *path, bool create, int *ret_dir, struct err *err) {
        assert(top >= 0);
        auto_close int here = fcntl(top, F_DUPFD_CLOEXEC, 0);
        char name[NAME_MAX + 1];
        const char *at = path;
        if (here < 0)
                return fail(err, ERR_SYSTEM, errno, "open the directory above %s", path);
        while (next_part(&at, name)) {
                auto_free char *so_far = xstrndup(path, (size_t)(at - path));
                int below;
                if (!*name)
                        return fail(err, ERR_SYSTEM, EINVAL, "%s", so_far);
                if (!enter(here, name, create, so_far, &below, err))
                        return false;
                close(here);
                here = below;
        }
        *ret_dir = take_fd(here);
        return true;
}

bool beneath_open_parent(int top, const char *path, bool create, int *ret_dir, const char **ret_name, struct err *err) {
        const char *slash = strrchr(path, '/'), *name = path;
        if (slash)
                name = slash + 1;
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strlen(name) > NAME_MAX)
                return fail(err, ERR_SYSTEM, EINVAL, "%s", path);
        auto_free char *parent = xstrndup(path, (size_t)(name - path));
        *ret_name = name;
        return beneath_open_directory(top, parent, create, ret_dir, err);
}

// `*ret_fd` -1: it is not there.
static bool open_regular(int top, const char *path, int flags, int *ret_fd, struct stat *ret_stat, struct err *err) {
        auto_close int dir = -1;
        const char *name;
        *ret_fd = -1;
        if (!beneath_open_parent(top, path, false, &dir, &name, err)) {
                if (err->number != ENOENT)
                        return false;
                err_release(err);
                return true;
        }
        // Looked at first: opening a device may do something, and a socket cannot be opened.
        if (fstatat(dir, name, ret_stat, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "%s", path);
        if (!S_ISREG(ret_stat->st_mode))
                return refuse_other_kind(path, ret_stat->st_mode, "a regular file", err);
        auto_close int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, ret_stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!S_ISREG(ret_stat->st_mode))
                return refuse_other_kind(path, ret_stat->st_mode, "a regular file", err);
        *ret_fd = take_fd(fd);
        return true;
}

bool beneath_read(int top, const char *path, struct buf *ret, bool *ret_found, struct err *err) {
        assert(ret->max > 0);
        auto_close int fd = -1;
        struct stat stat;
        *ret_found = false;
        if (!open_regular(top, path, O_RDONLY, &fd, &stat, err))
                return false;
        if (fd < 0)
                return true;
        if ((unsigned long long)stat.st_size > ret->max)
                return fail(err, ERR_CORRUPT, 0, "%s has %lld bytes, at most %zu are expected", path,
                            (long long)stat.st_size, ret->max) ||
                       hint(err, "remove it, or put in another disk");
        *ret_found = true;
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

bool beneath_open_own_file(int top, const char *path, int *ret_fd, struct err *err) {
        struct stat stat;
        auto_close int fd = -1;
        *ret_fd = -1;
        if (!open_regular(top, path, O_PATH, &fd, &stat, err))
                return false;
        if (fd >= 0 && stat.st_nlink == 1)
                *ret_fd = take_fd(fd);
        return true;
}
