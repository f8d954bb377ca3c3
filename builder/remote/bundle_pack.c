// SPDX-License-Identifier: MIT
#include "remote/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/strings.h"

enum { BUCKETS = 1 << 10, READ_BYTES = 256 << 10, XATTR_BYTES = 65536 };

// A file with several names is packed under the first of them.
struct packed_file {
        struct packed_file *next;
        dev_t device;
        ino_t inode;
        const char *path;
};

struct packing_state {
        struct archive *archive;
        const char *prefix; // of every path, with its slash; "" at the top
        const atomic_bool *stop;
        struct digest *digest;
        uint64_t size_bytes;
        int to;
        struct arena arena;
        struct packed_file *buckets[BUCKETS];
        char names[XATTR_BYTES], value[XATTR_BYTES], block[READ_BYTES];
};

// libarchive calls it with what is compressed.
static la_ssize_t take_packed(struct archive *archive, void *context, const void *data, size_t size) {
        struct packing_state *state = context;
        auto_err err = { 0 };
        if (atomic_load(state->stop)) {
                archive_set_error(archive, EINTR, "stopped");
                return -1;
        }
        digest_update(state->digest, data, size);
        state->size_bytes += size;
        if (fs_write_all(state->to, data, size, &err))
                return (la_ssize_t)size;
        archive_set_error(archive, EIO, "%s", err.text);
        return -1;
}

static bool fail_packing(const struct packing_state *state, struct err *err) {
        if (atomic_load(state->stop))
                return fail(err, ERR_INTERRUPTED, 0, "packing was stopped");
        return fail(err, ERR_SYSTEM, 0, "%s", text_or(archive_error_string(state->archive), "libarchive cannot"));
}

// NULL: this is its only or first name.
static const char *first_packed_path(struct packing_state *state, const struct stat *stat, const char *path) {
        if (S_ISDIR(stat->st_mode) || stat->st_nlink < 2)
                return NULL;
        struct packed_file **bucket = &state->buckets[(stat->st_ino ^ stat->st_dev) % BUCKETS];
        for (struct packed_file *file = *bucket; file; file = file->next)
                if (file->inode == stat->st_ino && file->device == stat->st_dev)
                        return file->path;
        struct packed_file *file = arena_alloc(&state->arena, sizeof *file);
        *file = (struct packed_file){ *bucket, stat->st_dev, stat->st_ino, arena_strdup(&state->arena, path) };
        *bucket = file;
        return NULL;
}

// The others are the host's: labels, overlayfs' own bookkeeping.
static bool xattr_travels(const char *name) {
        const char *overlay = strstr(name, ".overlay.");
        if (overlay)
                return strcmp(overlay, ".overlay.opaque") == 0;
        return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", strlen("user.")) == 0;
}

static bool pack_attributes(struct packing_state *state, int parent, const char *name, struct archive_entry *to,
                            struct err *err) {
        auto_free char *path = xasprintf("/proc/self/fd/%d/%s", parent, name);
        ssize_t size = llistxattr(path, state->names, sizeof state->names);
        if (size < 0 && errno != ENOTSUP)
                return fail(err, ERR_SYSTEM, errno, "list attributes");
        for (const char *attribute = state->names; attribute < state->names + size;
             attribute += strlen(attribute) + 1) {
                if (!xattr_travels(attribute))
                        continue;
                ssize_t length = lgetxattr(path, attribute, state->value, sizeof state->value);
                if (length < 0)
                        return fail(err, ERR_SYSTEM, errno, "read attribute %s", attribute);
                archive_entry_xattr_add_entry(to, attribute, state->value, (size_t)length);
        }
        return true;
}

// A file of which less lies on the disk than it has bytes is described by its data; the rest are holes. Nothing at its
// end says that it has no data at all.
static void describe_holes(int fd, const struct stat *stat, struct archive_entry *to) {
        off_t data = 0;
        bool has_data = false;
        if (stat->st_blocks * 512 >= stat->st_size)
                return;
        while (data < stat->st_size && (data = lseek(fd, data, SEEK_DATA)) >= 0) {
                off_t hole = lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        break;
                archive_entry_sparse_add_entry(to, data, hole - data);
                has_data = true;
                data = hole;
        }
        bool is_one_hole = data < 0 && errno == ENXIO && !has_data;
        if (is_one_hole)
                archive_entry_sparse_add_entry(to, stat->st_size, 0);
}

static bool pack_data(struct packing_state *state, int fd, int64_t left, struct err *err) {
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        while (left > 0) {
                ssize_t got = read(fd, state->block, sizeof state->block);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read");
                if (got == 0 || got > left)
                        return fail(err, ERR_CORRUPT, 0, "it has another size than a moment before");
                if (archive_write_data(state->archive, state->block, (size_t)got) != got)
                        return fail_packing(state, err);
                left -= got;
        }
        return true;
}

static bool pack_header(struct packing_state *state, struct archive_entry *to, struct err *err) {
        return archive_write_header(state->archive, to) >= ARCHIVE_WARN || fail_packing(state, err);
}

static bool pack_regular(struct packing_state *state, int parent, const char *name, const struct stat *stat,
                         struct archive_entry *to, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(parent, name, O_RDONLY | O_NOFOLLOW, 0, &fd, err))
                return false;
        archive_entry_set_size(to, stat->st_size);
        describe_holes(fd, stat, to);
        return pack_header(state, to, err) && pack_data(state, fd, stat->st_size, err);
}

static bool pack_symlink(struct packing_state *state, int parent, const char *name, struct archive_entry *to,
                         struct err *err) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read link");
        target[length] = '\0';
        archive_entry_copy_symlink(to, target);
        return pack_header(state, to, err);
}

static bool pack_described(struct packing_state *state, const char *path, int parent, const char *name,
                           const struct stat *stat, struct archive_entry *to, struct err *err) {
        const char *first = first_packed_path(state, stat, path);
        archive_entry_copy_pathname(to, path);
        archive_entry_set_mode(to, stat->st_mode);
        archive_entry_set_uid(to, stat->st_uid);
        archive_entry_set_gid(to, stat->st_gid);
        archive_entry_set_mtime(to, stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec);
        if (first) {
                archive_entry_copy_hardlink(to, first);
                return pack_header(state, to, err);
        }
        if (!pack_attributes(state, parent, name, to, err))
                return false;
        if (S_ISREG(stat->st_mode))
                return pack_regular(state, parent, name, stat, to, err);
        if (S_ISLNK(stat->st_mode))
                return pack_symlink(state, parent, name, to, err);
        bool is_whiteout = S_ISCHR(stat->st_mode) && stat->st_rdev == makedev(0, 0);
        if (!S_ISDIR(stat->st_mode) && !is_whiteout)
                return fail(err, ERR_CORRUPT, 0, "a socket, a pipe or a device");
        return pack_header(state, to, err);
}

static bool pack_one(struct packing_state *state, const char *path, int parent, const char *name,
                     const struct stat *stat, struct err *err) {
        struct archive_entry *to = archive_entry_new();
        if (!to)
                abort(); // out of memory
        bool ok = pack_described(state, path, parent, name, stat, to, err);
        archive_entry_free(to);
        return ok || wrap(err, "%s", path);
}

static bool pack_below(const struct fs_entry *entry, void *context, struct err *err) {
        struct packing_state *state = context;
        auto_free char *path = xasprintf("%s%s", state->prefix, entry->path);
        return pack_one(state, path, entry->parent, entry->name, entry->stat, err);
}

static bool pack_top(struct packing_state *state, int dir, const char *name, struct err *err) {
        struct stat stat;
        auto_close int child = -1;
        auto_free char *prefix = xasprintf("%s/", name);
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", name);
        if (!pack_one(state, name, dir, name, &stat, err))
                return false;
        if (!S_ISDIR(stat.st_mode))
                return true;
        state->prefix = prefix;
        return fs_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &child, err) &&
               fs_walk(child, pack_below, state, err);
}

// The names at the top are listed here, and not by fs_walk(): notes of where it lies come and go meanwhile.
static bool list_top(int dir, struct arena *arena, struct strings *ret, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *found;
        bool ok;
        if (!fs_open_listing(dir, &stream, err))
                return false;
        while ((ok = fs_next_entry(stream, &found, err)) && found)
                if (strncmp(found->d_name, "place", strlen("place")) != 0)
                        strings_add_once(arena, ret, arena_strdup(arena, found->d_name));
        strings_sort(ret);
        return ok;
}

static bool pack_all(struct packing_state *state, int dir, struct err *err) {
        struct strings names = { 0 };
        if (!list_top(dir, &state->arena, &names, err))
                return false;
        for (size_t i = 0; i < names.count; i++)
                if (!pack_top(state, dir, names.items[i], err))
                        return false;
        return archive_write_close(state->archive) == ARCHIVE_OK || fail_packing(state, err);
}

// zstd's first level takes 2 s a gigabyte of programs, and halves them twice. Attributes are written in libarchive's
// own form alone, which escapes their names: in the other one, which it writes beside that, `=` ends a name.
static bool open_packer(struct packing_state *state, struct err *err) {
        struct archive *archive = archive_write_new();
        if (!archive)
                abort(); // out of memory
        state->archive = archive;
        archive_write_set_bytes_in_last_block(archive, 1); // zeros after its end are no zstd
        bool ok =
            archive_write_set_format_pax(archive) == ARCHIVE_OK &&
            archive_write_add_filter_zstd(archive) == ARCHIVE_OK &&
            archive_write_set_options(archive, "pax:hdrcharset=BINARY,pax:xattrheader=LIBARCHIVE") == ARCHIVE_OK &&
            archive_write_set_options(archive, "zstd:compression-level=1") == ARCHIVE_OK &&
            archive_write_open(archive, state, NULL, take_packed, NULL) == ARCHIVE_OK;
        return ok || fail_packing(state, err);
}

bool bundle_pack(int dir, int to, const atomic_bool *stop, char ret_sha256[static DIGEST_HEX_SIZE],
                 uint64_t *ret_size_bytes, struct err *err) {
        struct packing_state *state = xcalloc(1, sizeof *state);
        state->prefix = "";
        state->stop = stop;
        state->to = to;
        state->digest = digest_new("sha256");
        bool ok = open_packer(state, err) && pack_all(state, dir, err);
        if (!ok)
                archive_write_fail(state->archive); // or free() would write the rest
        archive_write_free(state->archive);
        digest_final(state->digest, ret_sha256);
        *ret_size_bytes = state->size_bytes;
        arena_release(&state->arena);
        free(state);
        return ok;
}
