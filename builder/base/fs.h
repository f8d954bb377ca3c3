// SPDX-License-Identifier: MIT
// Files below a directory descriptor. Every path is relative to `dir` (AT_FDCWD for a path that the
// user gave); functions that say "beneath" never leave it, whatever symbolic links an image holds.
#ifndef KILN_BASE_FS_H
#define KILN_BASE_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

// Opens a directory, or a file, with O_CLOEXEC. Links are followed as the system does.
must_check bool fs_open_dir(int dir, const char *path, int *ret_fd, struct err *err);
must_check bool fs_open(int dir, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err);

// Opens a path inside an image: absolute links and ".." are resolved as if `root` were "/"
// (openat2(2) RESOLVE_IN_ROOT), so nothing outside can be reached.
must_check bool fs_open_in_root(int root, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err);

// Opens a regular file to read. A directory, named pipe, socket or device is refused at once, neither opened nor waited
// for: the error's number is EISDIR or 0. Links are followed.
must_check bool fs_open_regular(int dir, const char *path, int *ret_fd, struct err *err);

// The same for a path that realpath(3) gave: no part of it may have become a link since (openat2(2)
// RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS; Linux 5.6). So a file that was found to lie in a directory is the one
// that is read.
must_check bool fs_open_resolved(const char *path, int *ret_fd, struct err *err);
must_check bool fs_read_resolved(const char *path, struct buf *buf, struct err *err);

// Whether a path exists below `dir` (the last link is not followed). An error other than ENOENT and ENOTDIR counts as
// absent.
bool fs_exists(int dir, const char *path);

// The directory of a path, "." of a name alone; from malloc(3).
char *fs_parent(const char *path);

// Creates a directory and its missing parents, each with `mode` (not reduced by the umask).
must_check bool fs_mkdirs(int dir, const char *path, mode_t mode, struct err *err);
// The same for the parents of a file.
must_check bool fs_mkdirs_for(int dir, const char *path, mode_t mode, struct err *err);

// Reads a whole regular file of at most buf->max bytes; a larger one is refused before anything of it is read.
must_check bool fs_read(int dir, const char *path, struct buf *buf, struct err *err);

// Writes a whole file into a directory that becomes visible as a whole, by one rename after syncfs(2): a thousand
// files, each synced for itself, would take seconds. Mode is exact, not reduced by the umask.
must_check bool fs_write(int dir, const char *path, const void *data, size_t size, mode_t mode, struct err *err);

// Makes a file where others look, and replaces what has its name once it is whole: a file without a name (else one with
// a temporary name beside it), filled, fsync, link or rename. `mode` is reduced by the umask. `fill` may be called once
// more, for another file, where /proc is not mounted. After a failure nothing is left, and what was there is.
typedef bool fs_fill(int fd, void *context, struct err *err);
must_check bool fs_make_whole(int dir, const char *path, mode_t mode, fs_fill *fill, void *context, struct err *err);

// The same as fs_write(), in that way.
must_check bool fs_write_atomic(int dir, const char *path, const void *data, size_t size, mode_t mode, struct err *err);

must_check bool fs_write_all(int fd, const void *data, size_t size, struct err *err);

// Copies `size_bytes` (or up to end of file when UINT64_MAX) between descriptors at their offsets, with copy_file_range
// where it works.
must_check bool fs_copy_bytes(int from, int to, uint64_t size_bytes, struct err *err);

// Hard-links a file to another place, or copies it where links are not possible (other device, limit).
must_check bool fs_link_or_copy(int from_dir, const char *from, int to_dir, const char *to, struct err *err);

// Lists an opened directory, from its beginning; closedir(3) leaves `dir` open. ERR_SYSTEM.
must_check bool fs_open_listing(int dir, DIR **ret, struct err *err);

// The next entry of a directory, "." and ".." left out; NULL at its end. A disk that fails in the middle is no end.
must_check bool fs_next_entry(DIR *stream, struct dirent **ret, struct err *err);

// Removes a file or a whole tree; an absent one is fine. Never follows links, never crosses a mount.
must_check bool fs_remove_tree(int dir, const char *path, struct err *err);

// Visits everything below `dir`, parents before children, siblings in byte order, links not followed.
// `path` is relative ("etc/passwd"); `parent` and `name` reach the entry by *at() calls. The visitor returns
// false to stop with its error; `*descend` (true for directories) may be cleared.
struct fs_entry {
        const char *path, *name;
        int parent;
        const struct stat *stat;
        bool *descend;
};
typedef bool fs_visit(const struct fs_entry *entry, void *context, struct err *err);
must_check bool fs_walk(int dir, fs_visit *visit, void *context, struct err *err);

// Whether a path of a user or an archive stays below its root: not empty, no ".." part, no NUL. Leading "/" is allowed.
bool fs_path_is_safe(const char *path);

// The file:// URL of an absolute path; heap. A "%" of the path is escaped, so that it is not taken for an escape.
char *fs_file_url(const char *path);

// Publishing: a new directory beside `path`, filled by the caller, and then moved to it by one rename.
// The name is path + ".XXXXXX"; the caller removes it when it gives up.
must_check bool fs_make_temporary_dir(int dir, const char *path, char **ret_name, struct err *err);

#endif
