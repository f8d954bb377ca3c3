// SPDX-License-Identifier: MIT
#include "release/published_root.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "artefact/artefact.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "compare/compare_squashfs.h"
#include "compare/unpack.h"
#include "sandbox/overlay.h"

#define ROOT_NAME "rootfs.squashfs"
#define LAYER_NAME "config.cpio"
#define LAYER_PREFIX "kiln/config/"
#define SUMS_OF_BUILD "SHA256SUMS"

enum { SUMS_BYTES_MAX = 64 << 20, LAYER_BYTES_MAX = 1 << 30, HEX_DIGITS = 64 };

// Where roots are unpacked: every machine has it, and only this process sees what is mounted there. What is opened
// before stays open.
static const char memory_place[] = "/tmp";

struct unpacked_root {
        int role;                      // the published directory
        int memory;                    // a tmpfs
        int root, config, upper, work; // directories of it
};

// ---- the files ----

static bool file_is_listed(const struct buf *sums, const char *role, const char *name, int fd, struct err *err) {
        char found[DIGEST_HEX_SIZE];
        auto_free char *path = xasprintf("/proc/self/fd/%d", fd);
        if (!digest_file("sha256", AT_FDCWD, path, found, err))
                return false;
        auto_free char *line = xasprintf("%.64s  %s/%s\n", found, role, name);
        if (sums->size == 0 || strstr(buf_text(sums), line))
                return true;
        fail(err, ERR_DIFFERENT, 0, "%s/%s is damaged: its digest is not that of " SUMS_OF_BUILD, role, name);
        return hint(err, "kiln verify --no-rebuild BUILD names all that differs; kiln build makes it again");
}

static bool open_listed_file(const struct unpacked_root *unpacked, const struct buf *sums, const char *role,
                             const char *name, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        if (!fs_exists(unpacked->role, name)) {
                fail(err, ERR_REFERENCE, 0, "the build has no %s/%s", role, name);
                return hint(err, "it was built with --only, and without the kinds squashfs and config");
        }
        if (!fs_open(unpacked->role, name, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            !file_is_listed(sums, role, name, fd, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

// ---- the configuration layer ----

struct layer_link {
        uint32_t inode;
        const char *name;
};

struct layer_unpacking {
        int to;
        struct layer_link *links;
        size_t link_count;
};

// Where an entry goes: its directory below the layer's, and its name there.
struct layer_place {
        int dir;
        const char *name;
};

// A link of the layer's, to anywhere, may stand where a later entry has a directory: it leads nowhere but in here.
static bool open_layer_place(const struct layer_unpacking *layer, const char *path, struct layer_place *ret,
                             struct err *err) {
        auto_free char *parent = fs_parent(path);
        const char *slash = strrchr(path, '/');
        ret->name = path;
        if (slash)
                ret->name = slash + 1;
        if (!*ret->name || !fs_path_is_safe(path) || *path == '/')
                return fail(err, ERR_CORRUPT, 0, "the configuration layer has a file %s", path);
        return fs_open_in_root(layer->to, parent, O_PATH | O_DIRECTORY, 0, &ret->dir, err);
}

static const char *find_first_name(const struct layer_unpacking *layer, uint32_t inode) {
        for (size_t i = 0; i < layer->link_count; i++)
                if (layer->links[i].inode == inode)
                        return layer->links[i].name;
        return NULL;
}

static bool link_layer_file(const struct layer_unpacking *layer, const char *first, const struct layer_place *place,
                            struct err *err) {
        struct layer_place from = { -1, NULL };
        if (!open_layer_place(layer, first, &from, err))
                return false;
        auto_close int from_dir = from.dir;
        return linkat(from_dir, from.name, place->dir, place->name, 0) == 0 ||
               fail(err, ERR_SYSTEM, errno, "link /%s", first);
}

// Which of a file's names carries its content is the archive's affair.
static bool put_layer_file(struct layer_unpacking *layer, const struct newc_entry *entry, const char *path,
                           const struct layer_place *place, struct err *err) {
        auto_close int fd = -1;
        const char *first = NULL;
        if (entry->links > 1)
                first = find_first_name(layer, entry->inode);
        if (entry->links > 1 && !first)
                *array_append(&layer->links, &layer->link_count) = (struct layer_link){ entry->inode, path };
        if (first && !link_layer_file(layer, first, place, err))
                return false;
        int flags = O_WRONLY | O_NOFOLLOW;
        if (!first)
                flags |= O_CREAT | O_EXCL;
        if (!fs_open(place->dir, place->name, flags, 0600, &fd, err) ||
            !fs_write_all(fd, entry->data, entry->size, err))
                return false;
        return (fchown(fd, entry->uid, entry->gid) == 0 && fchmod(fd, entry->mode & 07777) == 0) ||
               fail(err, ERR_SYSTEM, errno, "unpack /%s", path);
}

static bool put_layer_directory(const struct newc_entry *entry, const struct layer_place *place, struct err *err) {
        auto_close int fd = -1;
        if (mkdirat(place->dir, place->name, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "unpack %s", place->name);
        if (!fs_open_dir(place->dir, place->name, &fd, err))
                return false;
        return (fchown(fd, entry->uid, entry->gid) == 0 && fchmod(fd, entry->mode & 07777) == 0) ||
               fail(err, ERR_SYSTEM, errno, "unpack %s", place->name);
}

static bool put_layer_symlink(const struct newc_entry *entry, const struct layer_place *place, struct err *err) {
        auto_free char *target = xstrndup(entry->data, entry->size);
        return (symlinkat(target, place->dir, place->name) == 0 &&
                fchownat(place->dir, place->name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) == 0) ||
               fail(err, ERR_SYSTEM, errno, "unpack %s", place->name);
}

static bool put_layer_entry(struct layer_unpacking *layer, const struct newc_entry *entry, struct err *err) {
        size_t length = strlen(LAYER_PREFIX);
        struct layer_place place = { -1, NULL };
        if (strncmp(entry->name, LAYER_PREFIX, length) != 0)
                return true;
        const char *path = entry->name + length;
        if (!open_layer_place(layer, path, &place, err))
                return false;
        auto_close int dir = place.dir; // closed at the end
        if (S_ISDIR(entry->mode))
                return put_layer_directory(entry, &place, err);
        if (S_ISREG(entry->mode))
                return put_layer_file(layer, entry, path, &place, err);
        if (S_ISLNK(entry->mode))
                return put_layer_symlink(entry, &place, err);
        // A whiteout, which hides a file of the packages, is a character device 0:0.
        return mknodat(dir, place.name, entry->mode, makedev(entry->major, entry->minor)) == 0 ||
               fail(err, ERR_SYSTEM, errno, "unpack /%s", path);
}

static bool unpack_layer(int fd, int to, struct err *err) {
        auto_buf file = { .max = LAYER_BYTES_MAX }, archive = { .max = LAYER_BYTES_MAX };
        struct layer_unpacking layer = { .to = to };
        struct newc_entry entry = { .name = "" };
        size_t offset = 0;
        bool ok = buf_read_fd(&file, fd, err) && newc_unpack(&file, &archive, err);
        while (ok && strcmp(entry.name, NEWC_TRAILER) != 0 && offset < archive.size)
                ok = newc_next(&archive, &offset, &entry, err) && put_layer_entry(&layer, &entry, err);
        free(layer.links);
        return ok || wrap(err, LAYER_NAME);
}

// ---- the mount ----

static bool make_place(const struct unpacked_root *unpacked, const char *name, int *ret_fd, struct err *err) {
        return fs_mkdirs(unpacked->memory, name, 0755, err) && fs_open_dir(unpacked->memory, name, ret_fd, err);
}

static bool open_memory(struct unpacked_root *unpacked, struct err *err) {
        if (mount("kiln", memory_place, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0700,size=90%") < 0)
                return fail(err, ERR_SANDBOX, errno, "mount a tmpfs at %s", memory_place);
        return fs_open_dir(AT_FDCWD, memory_place, &unpacked->memory, err) &&
               make_place(unpacked, "root", &unpacked->root, err) &&
               make_place(unpacked, "config", &unpacked->config, err) &&
               make_place(unpacked, "upper", &unpacked->upper, err) &&
               make_place(unpacked, "work", &unpacked->work, err);
}

static bool unpack_both(struct unpacked_root *unpacked, int image, int layer, struct err *err) {
        struct progress progress;
        progress_begin(&progress, "unpack the root", "bytes", 0);
        bool ok = squashfs_unpack(image, unpacked->root, err) &&
                  overlay_copy_top(unpacked->config, unpacked->root, err) &&
                  overlay_copy_top(unpacked->upper, unpacked->root, err) && unpack_layer(layer, unpacked->config, err);
        progress_end(&progress, ok);
        return ok;
}

static bool open_root(struct unpacked_root *unpacked, const struct buf *sums, const char *role, bool is_writable,
                      int *ret_fd, struct err *err) {
        auto_close int image = -1;
        auto_close int layer = -1;
        if (!open_listed_file(unpacked, sums, role, ROOT_NAME, &image, err) ||
            !open_listed_file(unpacked, sums, role, LAYER_NAME, &layer, err) || !open_memory(unpacked, err) ||
            !unpack_both(unpacked, image, layer, err))
                return false;
        const int lowers[] = { unpacked->config, unpacked->root };
        int upper = -1, work = -1;
        if (is_writable) {
                upper = unpacked->upper;
                work = unpacked->work;
        }
        return overlay_open(lowers, lengthof(lowers), upper, work, ret_fd, err);
}

static bool read_sums_beside(const char *build, struct buf *ret, struct err *err) {
        auto_free char *path = xasprintf("%s/" SUMS_OF_BUILD, build);
        return !fs_exists(AT_FDCWD, path) || fs_read(AT_FDCWD, path, ret, err);
}

bool published_root_open(const char *build, const char *role, bool is_writable, int *ret_fd, struct err *err) {
        assert(build && role);
        auto_free char *directory = xasprintf("%s/%s", build, role);
        auto_buf sums = { .max = SUMS_BYTES_MAX };
        struct unpacked_root unpacked = { -1, -1, -1, -1, -1, -1 };
        if (strchr(role, '/') || !fs_exists(AT_FDCWD, directory)) {
                fail(err, ERR_REFERENCE, 0, "%s has no role %s", build, role);
                return hint(err, "kiln builds lists what roles a build has");
        }
        bool ok = read_sums_beside(build, &sums, err) && fs_open_dir(AT_FDCWD, directory, &unpacked.role, err) &&
                  open_root(&unpacked, &sums, role, is_writable, ret_fd, err);
        if (unpacked.memory >= 0)
                (void)umount2(memory_place, MNT_DETACH);
        const int open[] = { unpacked.role,   unpacked.root,  unpacked.config,
                             unpacked.memory, unpacked.upper, unpacked.work };
        for (size_t i = 0; i < lengthof(open); i++)
                close_cleanup(&open[i]);
        return ok || wrap(err, "the root of %s", role);
}
