// SPDX-License-Identifier: MIT
// What is unpacked was signed by an accepted key, and is treated as hostile all the same: each parent is opened with
// the directory as its root, and nothing that is there is opened, replaced or followed.
#include "remote/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { ENTRIES_MAX = 4 << 20 };
static const int64_t unpacked_max_bytes = INT64_C(64) << 30;

// A directory gets its mode and time when all is in it.
struct unpacked_dir {
        char *path;
        mode_t mode;
        struct timespec modified;
};

struct unpacking_state {
        struct archive *archive;
        int dir;
        bool is_private;
        int64_t left_bytes;
        size_t left_entries;
        struct arena arena;
        struct unpacked_dir *dirs;
        size_t dir_count;
};

static bool fail_unpacking(const struct unpacking_state *state, struct err *err) {
        return fail(err, ERR_CORRUPT, 0, "%s", text_or(archive_error_string(state->archive), "damaged"));
}

static bool open_unpacked_parent(int dir, const char *path, int *ret_fd, const char **ret_name, struct err *err) {
        const char *slash = strrchr(path, '/');
        *ret_name = path;
        if (slash)
                *ret_name = slash + 1;
        auto_free char *parent = fs_parent(path);
        bool is_name = **ret_name && strcmp(*ret_name, ".") != 0;
        if (!is_name || *path == '/' || !fs_path_is_safe(path))
                return fail(err, ERR_CORRUPT, 0, "the name leads outside");
        return fs_open_in_root(dir, parent, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

static bool unpack_data(struct unpacking_state *state, struct archive_entry *entry, int parent, const char *name,
                        struct err *err) {
        auto_close int fd = -1;
        const void *block;
        size_t size;
        la_int64_t offset;
        int result;
        if (!fs_open(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, err))
                return false;
        if (ftruncate(fd, archive_entry_size(entry)) < 0)
                return fail(err, ERR_SYSTEM, errno, "size");
        while ((result = archive_read_data_block(state->archive, &block, &size, &offset)) == ARCHIVE_OK) {
                if (offset < 0 || offset + (int64_t)size > archive_entry_size(entry))
                        return fail(err, ERR_CORRUPT, 0, "more data than it has bytes");
                bool is_there = lseek(fd, offset, SEEK_SET) >= 0;
                if (!is_there)
                        return fail(err, ERR_SYSTEM, errno, "seek");
                if (!interrupt_check(err) || !fs_write_all(fd, block, size, err))
                        return false;
        }
        return result == ARCHIVE_EOF || fail_unpacking(state, err);
}

static bool unpack_hard_link(const struct unpacking_state *state, const char *target, int parent, const char *name,
                             struct err *err) {
        auto_close int target_parent = -1;
        const char *target_name = NULL;
        if (!open_unpacked_parent(state->dir, target, &target_parent, &target_name, err))
                return wrap(err, "a hard link to %s", target);
        return linkat(target_parent, target_name, parent, name, 0) == 0 || fail(err, ERR_SYSTEM, errno, "link");
}

// As a directory that only we can enter, as a node without a mode, or with its content.
static bool create_unpacked(struct unpacking_state *state, struct archive_entry *entry, int parent, const char *name,
                            struct err *err) {
        const char *target = archive_entry_symlink(entry);
        mode_t type = archive_entry_filetype(entry);
        dev_t device = makedev(archive_entry_rdevmajor(entry), archive_entry_rdevminor(entry));
        switch (type) {
        case AE_IFREG:
                return unpack_data(state, entry, parent, name, err);
        case AE_IFDIR:
                return mkdirat(parent, name, 0700) == 0 || fail(err, ERR_SYSTEM, errno, "make directory");
        case AE_IFLNK:
                if (!target)
                        return fail(err, ERR_CORRUPT, 0, "a link without a target");
                return symlinkat(target, parent, name) == 0 || fail(err, ERR_SYSTEM, errno, "make link");
        case AE_IFCHR: // overlayfs' whiteout; any other would be a device of this host
                if (device != makedev(0, 0))
                        return fail(err, ERR_CORRUPT, 0, "a device");
                // The call itself: rootfs/nodes.c gives librpm another mknodat(3).
                return syscall(SYS_mknodat, parent, name, type, device) == 0 ||
                       fail(err, ERR_SYSTEM, errno, "make node");
        default:
                return fail(err, ERR_CORRUPT, 0, "a file of a kind that no entry has");
        }
}

// Where others may look, nothing lies that gives them rights.
static bool gives_rights(struct archive_entry *entry) {
        const char *name;
        const void *value;
        size_t size;
        if (archive_entry_filetype(entry) == AE_IFREG && (archive_entry_perm(entry) & (S_ISUID | S_ISGID)))
                return true;
        archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
                if (strcmp(name, "security.capability") == 0)
                        return true;
        return false;
}

static bool set_unpacked_xattrs(struct archive_entry *entry, const char *path, struct err *err) {
        const char *name;
        const void *value;
        size_t size;
        archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
                if (lsetxattr(path, name, value, size, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "set attribute %s", name);
        return true;
}

static bool set_unpacked_times(int parent, const char *name, const struct timespec *modified, struct err *err) {
        const struct timespec times[2] = { *modified, *modified };
        return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) == 0 || fail(err, ERR_SYSTEM, errno, "set time");
}

// The owner first: a change of it takes set-id bits and capabilities away.
static bool settle_unpacked(struct unpacking_state *state, struct archive_entry *entry, const char *path, int parent,
                            const char *name, struct err *err) {
        const struct timespec modified = { archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };
        mode_t mode = archive_entry_perm(entry);
        mode_t type = archive_entry_filetype(entry);
        auto_free char *reached = xasprintf("/proc/self/fd/%d/%s", parent, name);
        if (fchownat(parent, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
                     AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "change owner");
        if (!set_unpacked_xattrs(entry, reached, err))
                return false;
        if (type == AE_IFDIR) {
                state->dirs = arena_grow(&state->arena, state->dirs, state->dir_count, sizeof *state->dirs);
                state->dirs[state->dir_count++] =
                    (struct unpacked_dir){ arena_strdup(&state->arena, path), mode, modified };
                return true;
        }
        if (type != AE_IFLNK && fchmodat(parent, name, mode, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod");
        return set_unpacked_times(parent, name, &modified, err);
}

static bool unpack_one(struct unpacking_state *state, struct archive_entry *entry, const char *path, struct err *err) {
        auto_close int parent = -1;
        const char *name = NULL;
        if (!open_unpacked_parent(state->dir, path, &parent, &name, err))
                return false;
        const char *target = archive_entry_hardlink(entry);
        if (target)
                return unpack_hard_link(state, target, parent, name, err);
        if (!state->is_private && gives_rights(entry))
                return fail(err, ERR_CORRUPT, 0, "a program with rights of its own, where others may start it");
        return create_unpacked(state, entry, parent, name, err) &&
               settle_unpacked(state, entry, path, parent, name, err);
}

static bool unpack_next(struct unpacking_state *state, struct archive_entry *entry, struct err *err) {
        const char *found = archive_entry_pathname(entry);
        if (!found || state->left_entries == 0)
                return fail(err, ERR_CORRUPT, 0, "a file without a name, or too many files");
        state->left_entries--;
        state->left_bytes -= archive_entry_size(entry);
        if (archive_entry_size(entry) < 0 || state->left_bytes < 0)
                return fail(err, ERR_CORRUPT, 0, "its files are too large");
        size_t length = strlen(found);
        while (length > 1 && found[length - 1] == '/') // as libarchive writes directories
                length--;
        auto_free char *path = xstrndup(found, length);
        return interrupt_check(err) && (unpack_one(state, entry, path, err) || wrap(err, "%s", path));
}

// The last first, so that no parent is closed, or gets another time, before what is in it is done.
static bool settle_dirs(const struct unpacking_state *state, struct err *err) {
        for (size_t i = state->dir_count; i-- > 0;) {
                const struct unpacked_dir *dir = &state->dirs[i];
                auto_close int parent = -1;
                const char *name = NULL;
                if (!open_unpacked_parent(state->dir, dir->path, &parent, &name, err))
                        return false;
                if (fchmodat(parent, name, dir->mode, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "chmod %s", dir->path);
                if (!set_unpacked_times(parent, name, &dir->modified, err))
                        return false;
        }
        return true;
}

static bool unpack_all(struct unpacking_state *state, int from, struct err *err) {
        enum { BLOCK = 256 << 10 };
        struct archive_entry *entry;
        int result;
        if (archive_read_open_fd(state->archive, from, BLOCK) != ARCHIVE_OK)
                return fail_unpacking(state, err);
        while ((result = archive_read_next_header(state->archive, &entry)) == ARCHIVE_OK)
                if (!unpack_next(state, entry, err))
                        return false;
        if (result != ARCHIVE_EOF)
                return fail_unpacking(state, err);
        return settle_dirs(state, err);
}

bool bundle_unpack(int from, int dir, bool is_private, struct err *err) {
        struct unpacking_state state = {
                .archive = archive_read_new(),
                .dir = dir,
                .is_private = is_private,
                .left_bytes = unpacked_max_bytes,
                .left_entries = ENTRIES_MAX,
        };
        if (!state.archive)
                abort(); // out of memory
        // No other: of those it does not know itself, libarchive runs a program of that name from PATH.
        archive_read_support_filter_zstd(state.archive);
        archive_read_support_format_tar(state.archive);
        (void)!fremovexattr(dir, "system.posix_acl_default"); // or all that is made here would inherit it
        bool ok = unpack_all(&state, from, err);
        archive_read_free(state.archive);
        arena_release(&state.arena);
        return ok;
}
