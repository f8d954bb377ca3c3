// SPDX-License-Identifier: MIT
#include "base/fs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "base/mem.h"

enum {
        OPEN_ATTEMPTS_MAX = 128,
        DEPTH_MAX = 200, // of directories: each is open, twice, while its children are visited
        COPY_MAX_BYTES = 1 << 30,
};

bool fs_open(int dir, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err) {
        int fd = openat(dir, path, flags | O_CLOEXEC, mode);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        *ret_fd = fd;
        return true;
}

bool fs_open_dir(int dir, const char *path, int *ret_fd, struct err *err) {
        return fs_open(dir, path, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

// What is no regular file, in words; NULL: it is one.
static const char *fs_type_problem(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG:
                return NULL;
        case S_IFDIR:
                return "a directory";
        case S_IFIFO:
                return "a named pipe";
        case S_IFSOCK:
                return "a socket";
        default:
                return "a device";
        }
}

static bool check_regular(const char *path, const struct stat *stat, struct err *err) {
        const char *problem = fs_type_problem(stat->st_mode);
        if (!problem)
                return true;
        if (S_ISDIR(stat->st_mode))
                return fail(err, ERR_SYSTEM, EISDIR, "open %s", path);
        return fail(err, ERR_SYSTEM, 0, "open %s: it is %s, not a regular file", path, problem);
}

static bool check_opened(int fd, const char *path, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        return check_regular(path, &stat, err);
}

// Looked at before it is opened, since opening a device may already do something; and after, since it may have changed.
bool fs_open_regular(int dir, const char *path, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        struct stat stat;
        if (fstatat(dir, path, &stat, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!check_regular(path, &stat, err) || !fs_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, err) ||
            !check_opened(fd, path, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

bool fs_open_resolved(const char *path, int *ret_fd, struct err *err) {
        assert(path[0] == '/');
        auto_close int fd = -1;
        struct stat stat;
        struct open_how how = {
                .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        if (lstat(path, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (S_ISLNK(stat.st_mode))
                return fail(err, ERR_SYSTEM, ELOOP, "open %s", path);
        if (!check_regular(path, &stat, err))
                return false;
        fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
        if (fd < 0) {
                int number = errno;
                fail(err, ERR_SYSTEM, number, "open %s", path);
                return number == ENOSYS && hint(err, "kiln needs Linux 5.6 or newer");
        }
        if (!check_opened(fd, path, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

bool fs_open_in_root(int root, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err) {
        struct open_how how = {
                .flags = (uint64_t)flags | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        if (!(flags & O_PATH))
                how.flags |= O_NONBLOCK; // a named pipe, which packages can put in any place, must not be waited for
        if (flags & (O_CREAT | O_TMPFILE))
                how.mode = mode; // openat2(2) takes no other mode than 0 without them
        // EAGAIN: something was renamed or mounted somewhere while ".." was looked at; see openat2(2).
        int fd = -1;
        for (int attempt = 0; attempt < OPEN_ATTEMPTS_MAX && fd < 0; attempt++) {
                fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
                if (fd < 0 && errno != EAGAIN)
                        break;
        }
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s in the root", path);
        *ret_fd = fd;
        return true;
}

bool fs_exists(int dir, const char *path) {
        struct stat stat;
        return fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool make_one_dir(int dir, const char *path, mode_t mode, struct err *err) {
        if (mkdirat(dir, path, mode) == 0) {
                if (fchmodat(dir, path, mode, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "chmod %s", path);
                return true;
        }
        if (errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "make directory %s", path);
        struct stat stat;
        if (fstatat(dir, path, &stat, 0) < 0 || !S_ISDIR(stat.st_mode))
                return fail(err, ERR_SYSTEM, ENOTDIR, "make directory %s", path);
        return true;
}

bool fs_mkdirs(int dir, const char *path, mode_t mode, struct err *err) {
        assert(path[0]);
        auto_free char *copy = xstrdup(path);
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (!make_one_dir(dir, copy, mode, err))
                        return false;
                *slash = '/';
        }
        return make_one_dir(dir, copy, mode, err);
}

char *fs_parent(const char *path) {
        const char *slash = strrchr(path, '/');
        if (!slash)
                return xstrdup(".");
        if (slash == path)
                return xstrdup("/");
        return xstrndup(path, (size_t)(slash - path));
}

bool fs_mkdirs_for(int dir, const char *path, mode_t mode, struct err *err) {
        const char *slash = strrchr(path, '/');
        if (!slash || slash == path)
                return true;
        auto_free char *parent = fs_parent(path);
        return fs_mkdirs(dir, parent, mode, err);
}

// A sparse file of terabytes takes no room on the disk, and would take all memory.
static bool read_regular(int fd, const char *path, struct buf *buf, struct err *err) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        size_t most = buf->max;
        if (most == 0)
                most = BUF_MAX_DEFAULT;
        if (stat.st_size > 0 && (uint64_t)stat.st_size > most - buf->size)
                return fail(err, ERR_SYSTEM, EFBIG, "read %s, which is larger than %zu bytes", path, most);
        return buf_read_fd(buf, fd, err) || wrap(err, "%s", path);
}

bool fs_read(int dir, const char *path, struct buf *buf, struct err *err) {
        auto_close int fd = -1;
        return fs_open_regular(dir, path, &fd, err) && read_regular(fd, path, buf, err);
}

bool fs_read_resolved(const char *path, struct buf *buf, struct err *err) {
        auto_close int fd = -1;
        return fs_open_resolved(path, &fd, err) && read_regular(fd, path, buf, err);
}

bool fs_write_all(int fd, const void *data, size_t size, struct err *err) {
        assert(data || size == 0);
        for (const char *next = data; size > 0;) {
                ssize_t done = write(fd, next, size);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        return fail(err, ERR_SYSTEM, errno, "write");
                next += done;
                size -= (size_t)done;
        }
        return true;
}

static char *fs_temporary_name(const char *path) {
        uint32_t random = 0;
        if (getrandom(&random, sizeof random, 0) < 0)
                random = (uint32_t)getpid();
        return xasprintf("%s.%08x", path, random);
}

static bool fill_synced(int fd, const char *path, fs_fill *fill, void *context, struct err *err) {
        return fill(fd, context, err) && (fsync(fd) == 0 || fail(err, ERR_SYSTEM, errno, "write %s", path));
}

// A link replaces nothing, so what is there is replaced by a rename. False, with errno, and nothing is left.
static bool name_unnamed(int fd, int dir, const char *path, const char *temporary) {
        auto_free char *unnamed = xasprintf("/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, unnamed, dir, path, AT_SYMLINK_FOLLOW) == 0)
                return true;
        if (errno == EEXIST && linkat(AT_FDCWD, unnamed, dir, temporary, AT_SYMLINK_FOLLOW) == 0 &&
            renameat(dir, temporary, dir, path) == 0)
                return true;
        int number = errno;
        unlinkat(dir, temporary, 0);
        errno = number;
        return false;
}

// What else it says, a full disk say, is so for a file with a name, too.
static bool says_that_no_link_works(int number) {
        return number == ENOENT || number == EOPNOTSUPP || number == EPERM || number == EACCES;
}

static bool make_and_rename(int dir, const char *path, const char *temporary, mode_t mode, fs_fill *fill, void *context,
                            struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(dir, temporary, O_RDWR | O_CREAT | O_EXCL, mode, &fd, err))
                return false;
        if (fill_synced(fd, path, fill, context, err) &&
            (renameat(dir, temporary, dir, path) == 0 || fail(err, ERR_SYSTEM, errno, "write %s", path)))
                return true;
        unlinkat(dir, temporary, 0);
        return false;
}

// A file without a name until it is whole: whoever is killed meanwhile leaves nothing.
bool fs_make_whole(int dir, const char *path, mode_t mode, fs_fill *fill, void *context, struct err *err) {
        auto_free char *parent = fs_parent(path), *temporary = fs_temporary_name(path);
        auto_close int fd = openat(dir, parent, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
        if (fd < 0)
                return make_and_rename(dir, path, temporary, mode, fill, context, err);
        if (!fill_synced(fd, path, fill, context, err))
                return false;
        if (name_unnamed(fd, dir, path, temporary))
                return true;
        if (!says_that_no_link_works(errno))
                return fail(err, ERR_SYSTEM, errno, "write %s", path);
        close(take_fd(fd)); // /proc is not mounted: its room is needed for the second one
        return make_and_rename(dir, path, temporary, mode, fill, context, err);
}

struct whole_text {
        const char *path;
        const void *data;
        size_t size;
        mode_t mode;
};

static bool fill_with_text(int fd, void *context, struct err *err) {
        const struct whole_text *text = context;
        if (!fs_write_all(fd, text->data, text->size, err))
                return wrap(err, "%s", text->path);
        return fchmod(fd, text->mode) == 0 || fail(err, ERR_SYSTEM, errno, "write %s", text->path);
}

bool fs_write(int dir, const char *path, const void *data, size_t size, mode_t mode, struct err *err) {
        struct whole_text text = { path, data, size, mode };
        auto_close int fd = -1;
        return fs_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, err) && fill_with_text(fd, &text, err);
}

bool fs_write_atomic(int dir, const char *path, const void *data, size_t size, mode_t mode, struct err *err) {
        struct whole_text text = { path, data, size, mode };
        return fs_make_whole(dir, path, 0600, fill_with_text, &text, err);
}

static ssize_t copy_some(int from, int to, size_t most, bool *plain) {
        if (!*plain) {
                ssize_t copied = copy_file_range(from, NULL, to, NULL, most, 0);
                if (copied > 0)
                        return copied;
                *plain = true; // unsupported pair of file systems, or end of file: read() tells
        }
        static _Thread_local char block[256 << 10];
        ssize_t got = read(from, block, size_min(most, sizeof block));
        for (ssize_t done = 0; done < got;) {
                ssize_t put = write(to, block + done, (size_t)(got - done));
                if (put < 0 && errno != EINTR)
                        return -1;
                if (put > 0)
                        done += put;
        }
        return got;
}

bool fs_copy_bytes(int from, int to, uint64_t size_bytes, struct err *err) {
        bool plain = false;
        while (size_bytes > 0) {
                ssize_t copied = copy_some(from, to, size_min(size_bytes, COPY_MAX_BYTES), &plain);
                if (copied < 0 && errno == EINTR)
                        continue;
                if (copied < 0)
                        return fail(err, ERR_SYSTEM, errno, "copy");
                if (copied == 0)
                        return size_bytes == UINT64_MAX || fail(err, ERR_SYSTEM, 0, "copy: file ends too early");
                if (size_bytes != UINT64_MAX)
                        size_bytes -= (uint64_t)copied;
        }
        return true;
}

bool fs_link_or_copy(int from_dir, const char *from, int to_dir, const char *to, struct err *err) {
        if (linkat(from_dir, from, to_dir, to, 0) == 0)
                return true;
        auto_close int in = -1;
        auto_close int out = -1;
        struct stat stat;
        if (!fs_open(from_dir, from, O_RDONLY | O_NOFOLLOW, 0, &in, err))
                return false;
        if (fstat(in, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", from);
        if (!fs_open(to_dir, to, O_WRONLY | O_CREAT | O_EXCL, stat.st_mode & 07777, &out, err))
                return false;
        return fs_copy_bytes(in, out, UINT64_MAX, err) || wrap(err, "%s to %s", from, to);
}

static bool is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

bool fs_next_entry(DIR *stream, struct dirent **ret, struct err *err) {
        do {
                errno = 0;
                *ret = readdir(stream);
        } while (*ret && is_dot((*ret)->d_name));
        return *ret || errno == 0 || fail(err, ERR_SYSTEM, errno, "list directory");
}

bool fs_open_listing(int dir, DIR **ret, struct err *err) {
        int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (copy < 0)
                return fail(err, ERR_SYSTEM, errno, "list directory");
        DIR *stream = fdopendir(copy);
        if (!stream) {
                int number = errno;
                close(copy);
                return fail(err, ERR_SYSTEM, number, "list directory");
        }
        *ret = stream;
        return true;
}

// A tree of any depth is removed with few open directories: a directory that lies too deep is moved into `top`, the one
// that is removed last, and is emptied from there.
struct removal {
        dev_t device;
        int top;
        unsigned depth;
};

static bool remove_children(int dir, struct removal *removal, struct err *err);

static bool lift_dir(int dir, const char *name, const struct removal *removal, struct err *err) {
        auto_free char *place = fs_temporary_name("lifted");
        return renameat(dir, name, removal->top, place) == 0 || fail(err, ERR_SYSTEM, errno, "move %s", name);
}

static int open_to_remove(int dir, const char *name) {
        enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
        int child = openat(dir, name, FLAGS);
        if (child < 0 && fchmodat(dir, name, 0700, 0) == 0)
                child = openat(dir, name, FLAGS);
        return child;
}

// The top is emptied again for as long as directories are lifted into it.
static bool empty_and_remove(int dir, const char *name, int child, bool is_top, struct removal *removal,
                             struct err *err) {
        for (;;) {
                if (!remove_children(child, removal, err))
                        return wrap(err, "%s", name);
                if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                        return true;
                bool is_filled = errno == ENOTEMPTY || errno == EEXIST;
                if (!is_top || !is_filled)
                        return fail(err, ERR_SYSTEM, errno, "remove %s", name);
        }
}

static bool remove_dir(int dir, const char *name, mode_t mode, struct removal *removal, struct err *err) {
        bool is_top = removal->depth == 0;
        if (removal->depth == DEPTH_MAX)
                return lift_dir(dir, name, removal, err);
        auto_close int child = open_to_remove(dir, name);
        if (child < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", name);
        if (!(mode & S_IWUSR))
                (void)!fchmod(child, 0700);
        if (is_top)
                removal->top = child;
        removal->depth++;
        bool ok = empty_and_remove(dir, name, child, is_top, removal, err);
        removal->depth--;
        return ok;
}

static bool remove_any(int dir, const char *name, struct removal *removal, struct err *err) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "stat %s", name);
        if (S_ISDIR(stat.st_mode) && stat.st_dev != removal->device)
                return fail(err, ERR_SYSTEM, EBUSY, "remove %s: something is mounted there", name);
        if (S_ISDIR(stat.st_mode))
                return remove_dir(dir, name, stat.st_mode, removal, err);
        return unlinkat(dir, name, 0) == 0 || errno == ENOENT || fail(err, ERR_SYSTEM, errno, "remove %s", name);
}

static bool remove_children(int dir, struct removal *removal, struct err *err) {
        auto_closedir DIR *stream = NULL;
        if (!fs_open_listing(dir, &stream, err))
                return false;
        for (;;) {
                struct dirent *entry;
                if (!fs_next_entry(stream, &entry, err))
                        return false;
                if (!entry)
                        return true;
                if (!remove_any(dir, entry->d_name, removal, err))
                        return false;
        }
}

bool fs_remove_tree(int dir, const char *path, struct err *err) {
        assert(path[0]); // the directory itself is not meant
        struct stat stat;
        if (fstatat(dir, path, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT || fail(err, ERR_SYSTEM, errno, "stat %s", path);
        struct removal removal = { .device = stat.st_dev, .top = -1 };
        return remove_any(dir, path, &removal, err);
}

static int compare_entry_names(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// What was found before an error is in the list, too.
static bool list_names(int dir, char ***ret_names, size_t *ret_count, struct err *err) {
        auto_closedir DIR *stream = NULL;
        if (!fs_open_listing(dir, &stream, err))
                return false;
        struct dirent *entry = NULL;
        do {
                if (!fs_next_entry(stream, &entry, err))
                        return false;
                if (entry)
                        *array_append(ret_names, ret_count) = xstrdup(entry->d_name);
        } while (entry);
        if (*ret_count > 0)
                qsort(*ret_names, *ret_count, sizeof **ret_names, compare_entry_names);
        return true;
}

struct walk {
        fs_visit *visit;
        void *context;
        struct buf path;
        unsigned depth;
};

static bool walk_dir(struct walk *walk, int dir, struct err *err);

static bool walk_one(struct walk *walk, int dir, const char *name, struct err *err) {
        size_t length = walk->path.size;
        if (length)
                buf_append_char(&walk->path, '/');
        buf_append_text(&walk->path, name);
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", buf_text(&walk->path));
        bool descend = S_ISDIR(stat.st_mode);
        struct fs_entry entry = { buf_text(&walk->path), name, dir, &stat, &descend };
        if (!walk->visit(&entry, walk->context, err))
                return false;
        if (descend) {
                auto_close int child = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child < 0)
                        return fail(err, ERR_SYSTEM, errno, "open %s", buf_text(&walk->path));
                if (walk->depth == DEPTH_MAX)
                        return fail(err, ERR_SYSTEM, 0, "%s: directories are nested deeper than %d",
                                    buf_text(&walk->path), DEPTH_MAX);
                walk->depth++;
                if (!walk_dir(walk, child, err))
                        return false;
                walk->depth--;
        }
        walk->path.size = length;
        walk->path.data[length] = '\0';
        return true;
}

static bool walk_dir(struct walk *walk, int dir, struct err *err) {
        char **names = NULL;
        size_t count = 0;
        bool ok = list_names(dir, &names, &count, err) || wrap(err, "%s", buf_text(&walk->path));
        for (size_t i = 0; i < count; i++) {
                ok = ok && walk_one(walk, dir, names[i], err);
                free(names[i]);
        }
        free(names);
        return ok;
}

bool fs_walk(int dir, fs_visit *visit, void *context, struct err *err) {
        struct walk walk = { .visit = visit, .context = context };
        bool ok = walk_dir(&walk, dir, err);
        buf_release(&walk.path);
        return ok;
}

bool fs_path_is_safe(const char *path) {
        if (!*path)
                return false;
        for (const char *part = path; part; part = strchr(part, '/')) {
                if (*part == '/')
                        part++;
                bool is_parent = strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0');
                if (is_parent)
                        return false;
        }
        return true;
}

char *fs_file_url(const char *path) {
        struct buf url = { 0 };
        buf_append_text(&url, "file://");
        for (; *path; path++) {
                if (*path == '%')
                        buf_append_text(&url, "%25");
                else
                        buf_append_char(&url, *path);
        }
        return buf_take(&url);
}

bool fs_make_temporary_dir(int dir, const char *path, char **ret_name, struct err *err) {
        auto_free char *name = fs_temporary_name(path);
        if (mkdirat(dir, name, 0755) < 0)
                return fail(err, ERR_SYSTEM, errno, "make directory %s", name);
        *ret_name = take_ptr(name);
        return true;
}
