// SPDX-License-Identifier: MIT
// What the boot loader brought, against its signed list.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "firmware/node/root/file_sha256.h"
#include "firmware/node/trust/trust.h"
#include "shared/node_config.h"

enum { DEPTH_MAX = 64 };

struct layer_walk {
        const struct signed_layer *layer;
        size_t found;
};

static bool digest_is(int dir, const char *name, const struct layer_entry *entry, bool *ret_same, struct err *err) {
        char hex[SHA256_HEX_SIZE];
        auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open");
        if (!file_sha256(fd, -1, entry->size_bytes, hex, err))
                return false;
        *ret_same = strcmp(hex, entry->sha256) == 0;
        return true;
}

static char type_letter(mode_t mode) {
        static const struct {
                mode_t type;
                char letter;
        } types[] = { { S_IFDIR, 'd' }, { S_IFREG, 'f' }, { S_IFLNK, 'l' },
                      { S_IFCHR, 'c' }, { S_IFBLK, 'b' }, { S_IFIFO, 'p' } };
        for (size_t i = 0; i < lengthof(types); i++)
                if ((mode & S_IFMT) == types[i].type)
                        return types[i].letter;
        return '?';
}

static bool link_leads(int dir, const char *name, const char *target) {
        char found[PATH_MAX];
        ssize_t length = readlinkat(dir, name, found, sizeof found - 1);
        if (length < 0)
                return false;
        found[length] = '\0';
        return strcmp(found, target) == 0;
}

// What of this entry is not as the list says, or NULL. A link's own permissions mean nothing.
static const char *difference_of(const struct layer_entry *entry, const struct stat *stat) {
        bool device = entry->type == 'c' || entry->type == 'b';
        if (type_letter(stat->st_mode) != entry->type)
                return "its type";
        if (entry->type != 'l' && (stat->st_mode & 07777) != entry->mode)
                return "its permissions";
        if (stat->st_uid != entry->uid || stat->st_gid != entry->gid)
                return "its owner";
        if (device && (major(stat->st_rdev) != entry->major || minor(stat->st_rdev) != entry->minor))
                return "its device number";
        if (entry->type == 'f' && (uint64_t)stat->st_size != entry->size_bytes)
                return "its size";
        return NULL;
}

static bool check_entry(struct layer_walk *walk, int dir, const char *name, const char *path, const struct stat *stat,
                        struct err *err) {
        const struct layer_entry *entry = signed_layer_find(walk->layer, path);
        bool same = true;
        if (!entry)
                return fail(err, ERR_SIGNATURE, 0, "/kiln/%s is not in the signed list", path);
        const char *difference = difference_of(entry, stat);
        if (!difference && entry->type == 'l' && !link_leads(dir, name, entry->target))
                difference = "its target";
        if (!difference && entry->type == 'f' && !digest_is(dir, name, entry, &same, err))
                return wrap(err, "/kiln/%s", path);
        if (!same)
                difference = "its content";
        if (difference)
                return fail(err, ERR_SIGNATURE, 0, "/kiln/%s is not what was signed: %s differs", path, difference);
        walk->found++;
        return true;
}

// What lies at the top beside the list's entries: the list, its signature, the carried root.
static bool is_exempt(const char *path) {
        return strcmp(path, SIGNED_LAYER_NAME) == 0 || strcmp(path, SIGNED_LAYER_SIGNATURE) == 0 ||
               strcmp(path, "rootfs.squashfs") == 0;
}

static bool walk_directory(struct layer_walk *walk, int dir, const char *prefix, int depth, struct err *err);

static bool walk_entry(struct layer_walk *walk, int dir, const char *name, const char *path, int depth,
                       struct err *err) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat /kiln/%s", path);
        if (is_exempt(path))
                return S_ISREG(stat.st_mode) || fail(err, ERR_SIGNATURE, 0, "/kiln/%s is not a file", path);
        if (!check_entry(walk, dir, name, path, &stat, err))
                return false;
        if (!S_ISDIR(stat.st_mode))
                return true;
        auto_close int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
                return fail(err, ERR_SYSTEM, errno, "open /kiln/%s", path);
        auto_free char *prefix = xasprintf("%s/", path);
        return walk_directory(walk, below, prefix, depth + 1, err);
}

static bool walk_directory(struct layer_walk *walk, int dir, const char *prefix, int depth, struct err *err) {
        if (depth > DEPTH_MAX)
                return fail(err, ERR_SIGNATURE, 0, "/kiln/%s: too deep", prefix);
        int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list /kiln/%s", prefix);
        for (struct dirent *entry; (entry = readdir(stream));) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                auto_free char *path = xasprintf("%s%s", prefix, entry->d_name);
                if (!walk_entry(walk, dir, entry->d_name, path, depth, err))
                        return false;
        }
        return true;
}

static bool find_missing(const struct signed_layer *layer, int dir, struct err *err) {
        struct stat stat;
        for (size_t i = 0; i < layer->count; i++)
                if (fstatat(dir, layer->entries[i].path, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                        return fail(err, ERR_SIGNATURE, 0, "/kiln/%s of the signed list is missing",
                                    layer->entries[i].path);
        return fail(err, ERR_SIGNATURE, 0, "something of the signed list is missing");
}

static bool check_tree(const struct signed_layer *layer, int dir, struct err *err) {
        struct layer_walk walk = { .layer = layer };
        if (!walk_directory(&walk, dir, "", 0, err))
                return false;
        return walk.found == layer->count || find_missing(layer, dir, err);
}

static bool read_brought(int dir, const char *name, size_t max, struct buf *ret, struct err *err) {
        auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        ret->max = max + NODE_READ_ROOM_BYTES;
        if (fd < 0 && errno == ENOENT)
                return fail(err, ERR_SIGNATURE, 0,
                            "the configuration layer is not signed (it has no /kiln/%s), and this machine boots signed "
                            "ones only",
                            name);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open /kiln/%s", name);
        return buf_read_fd(ret, fd, err) || wrap(err, "/kiln/%s", name);
}

static bool check_binding(const struct trust *trust, const struct signed_layer *layer, struct err *err) {
        if (*trust->cluster && strcmp(trust->cluster, layer->cluster) != 0)
                return fail(err, ERR_SIGNATURE, 0,
                            "the configuration layer is cluster %s's, this machine belongs to %s", layer->cluster,
                            trust->cluster);
        if (layer->serial < trust->minimum_serial)
                return fail(err, ERR_SIGNATURE, 0, "build %s has serial %llu, and nothing below %llu is booted",
                            layer->build, (unsigned long long)layer->serial, (unsigned long long)trust->minimum_serial);
        return true;
}

bool trust_check_layer(const struct trust *trust, int dir, struct arena *arena, struct signed_layer *ret,
                       size_t *ret_key, struct err *err) {
        auto_buf list = { 0 };
        auto_buf signature = { 0 };
        if (!read_brought(dir, SIGNED_LAYER_NAME, SIGNED_LAYER_MAX_BYTES, &list, err) ||
            !read_brought(dir, SIGNED_LAYER_SIGNATURE, SSHSIG_TEXT_MAX, &signature, err))
                return false;
        if (!trust_check(trust, SSHSIG_LAYER, list.data, list.size, &signature, ret_key, err))
                return wrap(err, "/kiln/" SIGNED_LAYER_NAME);
        if (!signed_layer_parse(list.data, list.size, arena, ret, err))
                return false;
        return check_binding(trust, ret, err) && check_tree(ret, dir, err);
}
