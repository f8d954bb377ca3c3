// SPDX-License-Identifier: MIT
// config.cpio: the configuration layer as one more initrd (shared/node_config.h), with the list of what it holds as
// /kiln/layer (shared/signed_layer.h) and, of a build that is signed, that list's signature as /kiln/layer.sig.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "artefact/image/xattr.h"
#include "artefact/initrd/cpio.h"
#include "artefact/initrd/initrd_part.h"
#include "artefact/internal.h"
#include "artefact/layer_list.h"
#include "artefact/root_url.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stand_in.h"

#define CONFIG_PREFIX "kiln/config"

// A changed line of configuration rarely changes a size that is rounded up so far, and an ISO's layout depends on it.
enum { CONFIG_ALIGN_BYTES = 65536 };

// A file with several hard links, of which the layer may hold only some.
struct linked {
        dev_t device;
        ino_t inode;
        unsigned names, added; // in the layer; of these, in the archive so far
};

struct config_archive {
        struct cpio *cpio;
        struct linked *linked;
        size_t linked_count;
        struct layer_list list; // all that the archive holds but the list itself
};

static bool config_add_listed(struct config_archive *config, const struct cpio_entry *entry, struct err *err) {
        layer_list_add(&config->list, entry);
        return cpio_add(config->cpio, entry, err);
}

static struct linked *find_linked(struct config_archive *config, const struct stat *stat) {
        for (size_t i = 0; i < config->linked_count; i++)
                if (config->linked[i].device == stat->st_dev && config->linked[i].inode == stat->st_ino)
                        return &config->linked[i];
        return NULL;
}

static bool is_linked(const struct stat *stat) { return S_ISREG(stat->st_mode) && stat->st_nlink > 1; }

static bool count_names(const struct fs_entry *entry, void *context, struct err *err) {
        struct config_archive *config = context;
        (void)err;
        if (!is_linked(entry->stat))
                return true;
        struct linked *linked = find_linked(config, entry->stat);
        if (!linked) {
                linked = array_append(&config->linked, &config->linked_count);
                *linked = (struct linked){ entry->stat->st_dev, entry->stat->st_ino, 0, 0 };
        }
        linked->names++;
        return true;
}

// newc has no room for attributes: losing a capability silently would show on the node only.
static bool check_attribute(const struct xattr *xattr, const char *path, struct err *err) {
        if (strcmp(xattr->name, "security.capability") != 0) {
                warning("/%s: its attribute %s is left out, for the role changes it, and the configuration layer has "
                        "no attributes",
                        path, xattr->name);
                return true;
        }
        fail(err, ERR_REFERENCE, 0, "/%s: file capabilities cannot be carried by the configuration layer", path);
        return hint(err, "ship the file in a package, or let a unit set its capabilities");
}

static bool check_attributes(const struct fs_entry *entry, struct err *err) {
        struct xattrs xattrs = { 0 };
        bool ok = xattrs_read(entry->parent, entry->name, &xattrs, err);
        for (size_t i = 0; ok && i < xattrs.count; i++)
                ok = check_attribute(&xattrs.items[i], entry->path, err);
        xattrs_release(&xattrs);
        return ok;
}

static bool read_link_target(const struct fs_entry *entry, struct cpio_entry *to, struct buf *data, struct err *err) {
        char *room = buf_reserve(data, PATH_MAX);
        ssize_t length = readlinkat(entry->parent, entry->name, room, PATH_MAX - 1);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read link /%s", entry->path);
        room[length] = '\0';
        to->target = room;
        return true;
}

// Gives all names of a file one inode. Only the last of them has the data.
static bool is_named_again(struct config_archive *config, const struct fs_entry *entry, struct cpio_entry *to) {
        if (!is_linked(entry->stat))
                return false;
        struct linked *linked = find_linked(config, entry->stat);
        if (!linked || linked->names < 2)
                return false;
        to->inode = CPIO_FIRST_LINKED_INODE + (uint32_t)(linked - config->linked);
        to->links = linked->names;
        linked->added++;
        return linked->added < linked->names;
}

static bool read_file_content(const struct fs_entry *entry, struct cpio_entry *to, struct buf *data, struct err *err) {
        if (!fs_read(entry->parent, entry->name, data, err))
                return false;
        to->data = buf_text(data);
        to->size = data->size;
        return true;
}

// What the entry is, and what it holds: a link's target or a file's content, kept in `data`.
static bool fill_entry(const struct fs_entry *entry, struct config_archive *config, struct cpio_entry *to,
                       struct buf *data, struct err *err) {
        struct stat stat = *entry->stat;
        if (!stand_in_resolve(entry->parent, entry->name, &stat, err) || !check_attributes(entry, err))
                return false;
        to->mode = stat.st_mode;
        to->device = stat.st_rdev;
        if (S_ISLNK(to->mode))
                return read_link_target(entry, to, data, err);
        if (!S_ISREG(to->mode) || is_named_again(config, entry, to))
                return true;
        return read_file_content(entry, to, data, err);
}

static bool add_layer_entry(const struct fs_entry *entry, void *context, struct err *err) {
        struct config_archive *config = context;
        if (S_ISSOCK(entry->stat->st_mode))
                return true;
        auto_buf data = { 0 };
        auto_free char *path = xasprintf(CONFIG_PREFIX "/%s", entry->path);
        struct cpio_entry to = {
                .path = path,
                .uid = entry->stat->st_uid,
                .gid = entry->stat->st_gid,
        };
        return fill_entry(entry, config, &to, &data, err) && config_add_listed(config, &to, err);
}

static void append_mirrors(const struct artefact_build *build, const struct artefact_role *role, struct buf *text) {
        const struct strings *mirrors = &build->cluster->mirrors;
        const char *separator = "MIRRORS=";
        for (size_t i = 0; i < mirrors->count; i++) {
                auto_free char *url = root_url(build, role, mirrors->items[i]);
                buf_printf(text, "%s%s", separator, url);
                separator = ",";
        }
        if (mirrors->count > 0)
                buf_append_char(text, '\n');
}

// KEY=VALUE lines that bind this layer to the one root that it belongs to.
static bool add_root_conf(const struct artefact_build *build, const struct artefact_role *role,
                          struct config_archive *config, struct err *err) {
        auto_buf text = { 0 };
        if (!role->root_sha256[0])
                return fail(err, ERR_INTERNAL, 0, "the root of role %s is not packed yet", role->role->name);
        buf_printf(&text, "ROOT_SHA256=%s\nROOT_SIZE=%llu\nROLE=%s\nCLUSTER=%s\nBUILD_ID=%s\nRELEASE=%s\n",
                   role->root_sha256, (unsigned long long)role->root_size_bytes, role->role->name, build->cluster->name,
                   build->build_id, build->cluster->release.name);
        buf_printf(&text, "OVERLAY_SIZE=%s\nON_FAILURE=%s\nREBOOT_DELAY_S=%d\n", role->role->overlay_size,
                   role->role->on_failure, role->role->reboot_delay_s);
        append_mirrors(build, role, &text);
        if (role->role->state_disk.wanted && role->role->state_disk.overlay)
                buf_append_text(&text, "OVERLAY_DISK=1\n");
        if (role_fetches_root(role->role))
                buf_printf(&text, "CHUNKS_SHA256=%s\nCHUNKS_SIZE=%llu\n", role->chunks_sha256,
                           (unsigned long long)role->chunks_size_bytes);
        struct cpio_entry entry = {
                .path = "kiln/root.conf", .mode = S_IFREG | 0644, .data = text.data, .size = text.size
        };
        return config_add_listed(config, &entry, err);
}

static bool add_layer(const struct artefact_role *role, struct config_archive *config, struct err *err) {
        struct stat stat;
        if (fstat(role->config, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat the configuration layer");
        struct cpio_entry top = { .path = CONFIG_PREFIX, .mode = stat.st_mode, .uid = stat.st_uid, .gid = stat.st_gid };
        return config_add_listed(config, &top, err) && fs_walk(role->config, count_names, config, err) &&
               fs_walk(role->config, add_layer_entry, config, err);
}

// Nothing is appended for a build that is not signed.
static bool sign_list(const struct artefact_build *build, const struct artefact_role *role, const struct buf *list,
                      struct buf *ret_armored, struct err *err) {
        const struct kept_signatures *kept = build->kept;
        if (build->signer)
                return signer_sign(build->signer, SSHSIG_LAYER, buf_text(list), list->size, ret_armored, err);
        for (size_t i = 0; kept && i < kept->count; i++)
                if (strcmp(kept->items[i].role, role->role->name) == 0)
                        buf_append_text(ret_armored, text_or(kept->items[i].layer, ""));
        return true;
}

static bool add_plain_file(struct cpio *cpio, const char *path, const struct buf *content, struct err *err) {
        struct cpio_entry entry = {
                .path = path, .mode = S_IFREG | 0644, .data = buf_text(content), .size = content->size
        };
        return cpio_add(cpio, &entry, err);
}

static bool add_list(const struct artefact_build *build, const struct artefact_role *role,
                     struct config_archive *config, struct err *err) {
        auto_buf list = { 0 };
        auto_buf armored = { 0 };
        layer_list_format(&config->list, build, role, &list);
        if (list.size > SIGNED_LAYER_MAX_BYTES)
                return fail(err, ERR_REFERENCE, 0, "the configuration layer of role %s holds too many files",
                            role->role->name);
        if (!sign_list(build, role, &list, &armored, err) ||
            !add_plain_file(config->cpio, "kiln/" SIGNED_LAYER_NAME, &list, err))
                return false;
        return armored.size == 0 || add_plain_file(config->cpio, "kiln/" SIGNED_LAYER_SIGNATURE, &armored, err);
}

// For a boot loader that fetches both: `sha256sum -c boot.sums`.
static bool write_boot_sums(struct artefact_role *role, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!digest_file("sha256", role->out, "config.cpio", sha256, err))
                return false;
        memcpy(role->config_sha256, sha256, sizeof role->config_sha256);
        auto_free char *text = xasprintf("%s  config.cpio\n%s  rootfs.squashfs\n", sha256, role->root_sha256);
        return fs_write(role->out, BOOT_SUMS_NAME, text, strlen(text), 0644, err);
}

static bool fill_config_archive(const struct artefact_build *build, const struct artefact_role *role,
                                struct config_archive *config, struct err *err) {
        struct cpio_entry kiln = { .path = "kiln", .mode = S_IFDIR | 0755 };
        return cpio_add(config->cpio, &kiln, err) && add_root_conf(build, role, config, err) &&
               add_layer(role, config, err) && add_list(build, role, config, err) && cpio_finish(config->cpio, err);
}

static bool config_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_buf archive = { 0 };
        struct config_archive config = { .cpio = cpio_new(build->source_date_epoch, &archive) };
        bool ok = fill_config_archive(build, role, &config, err) &&
                  initrd_part_write(INITRD_PART_FAST, &archive, CONFIG_ALIGN_BYTES, role->out, "config.cpio", err) &&
                  write_boot_sums(role, err);
        free(config.linked);
        layer_list_release(&config.list);
        cpio_free(config.cpio);
        return ok;
}

static const char *const needs[] = { "squashfs", NULL };

const struct artefact_kind config_kind = {
        .name = "config",
        .description = "the configuration layer, loaded as one more initrd",
        .needs = needs,
        .per_role = true,
        .write = config_write,
};
