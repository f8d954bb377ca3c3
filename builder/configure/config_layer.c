// SPDX-License-Identifier: MIT
// The configuration layer. An overlay is mounted over the packages' tree with the layer as its upper directory;
// everything is then written into the merged tree, and the kernel leaves exactly the difference: copied directories
// with their owners and modes, changed files, whiteouts.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "configure/configure.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "sandbox/overlay.h"
#include "shared/place.h"
#include "shared/template.h"
#include "shared/value.h"

enum { SOURCE_BYTES_MAX = 256 << 20 };

static const char kiln_node_place[] = "/usr/libexec/kiln/kiln-node";

// ---- files of the role ----

// A file without a mode of its own gets 0644, or 0755 if its source is a program.
static bool read_source(const struct file *file, struct buf *ret_text, unsigned *ret_mode, struct err *err) {
        auto_close int fd = -1;
        struct stat stat;
        bool has_mode = file->mode >= 0;
        *ret_mode = 0644;
        if (has_mode)
                *ret_mode = (unsigned)file->mode;
        if (!file->source) {
                buf_append_text(ret_text, text_or(file->content, ""));
                return true;
        }
        if (!fs_open_resolved(file->source, &fd, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", file->source);
        if (!has_mode && stat.st_mode & S_IXUSR)
                *ret_mode = 0755;
        return buf_read_fd(ret_text, fd, err) || wrap(err, "%s", file->source);
}

// What messages call a template: its file, or the place of its text in the role.
static char *name_of_template(const struct file *file) {
        if (file->source)
                return xstrdup(file->source);
        return xasprintf("%s:%d: content of %s", text_or(file->place.file, "role"), file->place.line, file->path);
}

// `ret_kept`: the text mentions node.*, so that it is rendered on the node; cluster values are filled in already.
static bool render_file(struct config *config, const struct file *file, struct buf *text, bool *ret_kept,
                        struct err *err) {
        auto_buf output = { .max = SOURCE_BYTES_MAX };
        auto_free char *name = name_of_template(file);
        if (!template_render(name, buf_text(text), text->size, config->scope, TEMPLATE_NODE_NAMES, &output, ret_kept,
                             err))
                return false;
        buf_release(text);
        *text = output;
        output = (struct buf){ 0 };
        return true;
}

struct ownership {
        unsigned mode, uid, gid;
};

// Which secrets a text that is left for the node speaks of. `*ret_any`: of one at least.
static bool list_secrets(struct config *config, const struct buf *text, struct kept_template *kept, bool *ret_any,
                         struct err *err) {
        auto_template *template = NULL;
        struct template_secret secret;
        size_t at = 0;
        *ret_any = false;
        if (!template_open(kept->path, buf_text(text), text->size, &template, err))
                return false;
        while (template_next_secret(template, &at, &secret)) {
                const char *name = arena_strndup(&config->arena, secret.name, secret.name_size);
                strings_add_once(&config->arena, &config->secrets, name);
                if (secret.is_needed)
                        strings_add_once(&config->arena, &kept->secrets, name);
                *ret_any = true;
        }
        return true;
}

// The template waits in the image for kiln-node. Without it, nodes would read what packages have at its path until it
// is rendered, so that goes.
static bool keep_template(struct config *config, const struct file *file, const struct buf *text,
                          const struct ownership *owned, struct err *err) {
        struct kept_template *kept = array_append(&config->kept, &config->kept_count);
        *kept = (struct kept_template){
                .path = file->path,
                .source = arena_printf(&config->arena, "/usr/share/kiln/templates/%zu", config->kept_count - 1),
                .mode = owned->mode,
                .uid = owned->uid,
                .gid = owned->gid,
                .services = &config->role->services_cluster,
        };
        bool has_secrets = false;
        if (!list_secrets(config, text, kept, &has_secrets, err))
                return false;
        if (has_secrets && file->mode < 0)
                kept->mode = 0600;
        if (file->has_services)
                kept->services = &file->services;
        return tree_write(config->root, kept->source, buf_text(text), text->size, 0600, 0, 0, err) &&
               tree_remove(config->root, file->path, err);
}

// What the image has keeps what the profile does not say.
static bool write_directory(struct config *config, const struct file *file, struct err *err) {
        struct ownership owned = { .mode = 0755 };
        struct stat stat;
        auto_close int there = -1;
        auto_err absent = { 0 };
        const char *owner = text_or(file->owner, "root"), *group = text_or(file->group, "root");
        if (!accounts_resolve(config->root, owner, group, &file->place, &owned.uid, &owned.gid, err))
                return false;
        if (fs_open_in_root(config->root, file->path, O_PATH | O_DIRECTORY, 0, &there, &absent)) {
                if (fstat(there, &stat) < 0)
                        return fail(err, ERR_SYSTEM, errno, "stat %s", file->path);
                owned.mode = stat.st_mode & 07777;
                if (!file->owner)
                        owned.uid = stat.st_uid;
                if (!file->group)
                        owned.gid = stat.st_gid;
                bool is_as_wanted = file->mode < 0 && owned.uid == stat.st_uid && owned.gid == stat.st_gid;
                if (is_as_wanted) // no need for a copy in the configuration layer
                        return true;
        }
        if (file->mode >= 0)
                owned.mode = (unsigned)file->mode;
        return tree_mkdir(config->root, file->path, owned.mode, owned.uid, owned.gid, err);
}

static bool write_role_file(struct config *config, const struct file *file, struct err *err) {
        auto_buf text = { .max = SOURCE_BYTES_MAX };
        struct ownership owned;
        bool kept = false;
        if (file->is_directory)
                return write_directory(config, file, err);
        if (file->link)
                return tree_link(config->root, file->path, file->link, err);
        if (!accounts_resolve(config->root, file->owner, file->group, &file->place, &owned.uid, &owned.gid, err))
                return false;
        if (!read_source(file, &text, &owned.mode, err))
                return false;
        if (file->is_template && !render_file(config, file, &text, &kept, err))
                return false;
        if (kept)
                return keep_template(config, file, &text, &owned, err);
        return tree_write(config->root, file->path, buf_text(&text), text.size, owned.mode, owned.uid, owned.gid, err);
}

static bool is_replaced_later(const struct role *role, size_t index) {
        for (size_t i = index + 1; i < role->file_count; i++)
                if (strcmp(role->files[i].path, role->files[index].path) == 0)
                        return true;
        return false;
}

static bool write_role_files(struct config *config, struct err *err) {
        const struct role *role = config->role;
        for (size_t i = 0; i < role->file_count; i++) {
                if (is_replaced_later(role, i) || write_role_file(config, &role->files[i], err))
                        continue;
                if (err->kind == ERR_TEMPLATE) // the message names the template's file and line
                        return false;
                return wrap(err, "role %s: %s", role->name, role->files[i].path);
        }
        return true;
}

// ---- what every image has ----

static bool write_hosts(struct config *config, struct err *err) {
        auto_free char *text = hosts_text(config->cluster);
        return tree_write(config->root, "/etc/hosts", text, strlen(text), 0644, 0, 0, err);
}

// Empty, not absent: an absent one makes systemd apply all presets at the first boot, or refuse a read-only /etc.
static bool write_machine_id(struct config *config, struct err *err) {
        return tree_write(config->root, "/etc/machine-id", "", 0, 0444, 0, 0, err);
}

static bool write_sysctl(struct config *config, struct err *err) {
        const struct value *sysctl = config->role->sysctl;
        auto_buf text = { 0 };
        for (size_t i = 0; sysctl && i < sysctl->count; i++)
                buf_printf(&text, "%s = %s\n", sysctl->keys[i], text_or(sysctl->items[i]->text, ""));
        if (text.size == 0)
                return true;
        return tree_write(config->root, "/etc/sysctl.d/90-kiln.conf", text.data, text.size, 0644, 0, 0, err);
}

static bool has_mkfs(const struct config *config, const char *filesystem) {
        auto_free char *path = xasprintf("/usr/sbin/mkfs.%s", filesystem);
        return tree_exists(config->root, path) || tree_exists(config->root, path + strlen("/usr"));
}

// A disk is formatted on the node, by the image's own mkfs. Its absence is told now: on the node it would be too late.
static bool check_mkfs(struct config *config, struct err *err) {
        const struct state_disk *disk = &config->role->state_disk;
        bool may_format = disk->wanted && disk->claim.wanted;
        if (!may_format || has_mkfs(config, disk->filesystem))
                return true;
        (void)fail_at(err, ERR_REFERENCE, &disk->claim.place, "role %s may claim a disk, but its image has no mkfs.%s",
                      config->role->name, disk->filesystem);
        return hint(err, "add the package that has it: e2fsprogs for ext4, xfsprogs for xfs");
}

static bool make_state_path(struct config *config, const struct state_path *state, struct err *err) {
        unsigned uid, gid, mode = 0755;
        if (state->mode >= 0)
                mode = (unsigned)state->mode;
        return accounts_resolve(config->root, state->owner, state->group, &state->place, &uid, &gid, err) &&
               tree_mkdir(config->root, state->path, mode, uid, gid, err);
}

static bool make_state(struct config *config, struct err *err) {
        const struct role *role = config->role;
        if (!check_mkfs(config, err))
                return false;
        for (size_t i = 0; i < role->state_count; i++)
                if (!make_state_path(config, &role->state[i], err))
                        return wrap(err, "role %s: state %s", role->name, role->state[i].path);
        return true;
}

static bool copy_into_image(struct config *config, const char *source, const char *path, unsigned mode,
                            struct err *err) {
        auto_buf text = { .max = SOURCE_BYTES_MAX };
        if (!fs_read(AT_FDCWD, source, &text, err))
                return false;
        return tree_write(config->root, path, buf_text(&text), text.size, mode, 0, 0, err);
}

static bool write_kiln_node(struct config *config, const char *kiln_node_path, struct err *err) {
        const char *name;
        for (size_t i = 0; (name = configure_own_unit(i)); i++) {
                auto_free char *unit = xasprintf("%s/node/%s", config->cluster->firmware_dir, name);
                auto_free char *path = xasprintf("/etc/systemd/system/%s", name);
                if (!copy_into_image(config, unit, path, 0644, err))
                        return false;
        }
        return copy_into_image(config, kiln_node_path, kiln_node_place, 0755, err);
}

static bool remove_paths(struct config *config, struct err *err) {
        for (size_t i = 0; i < config->role->remove.count; i++)
                if (!tree_remove(config->root, config->role->remove.items[i], err))
                        return wrap(err, "role %s: remove", config->role->name);
        return true;
}

// Users before the files that they own; kiln's units before they are enabled; node.json last, because it lists the
// templates that were kept.
static bool write_layer(struct config *config, const char *kiln_node_path, struct err *err) {
        if (!accounts_write(config, err) || !write_hosts(config, err) || !write_machine_id(config, err))
                return false;
        if (!write_sysctl(config, err) || !write_role_files(config, err) || !make_state(config, err))
                return false;
        if (!write_kiln_node(config, kiln_node_path, err) || !services_write(config, err) ||
            !secret_units_write(config, err))
                return false;
        return remove_paths(config, err) && link_targets_check(config, err) && update_stamps_write(config, err) &&
               node_json_write(config, err);
}

// ---- the overlay around it ----

static bool settle_layer(int work, int root, int64_t seconds, struct err *err) {
        struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
        if (!overlay_clean_upper(work, root, err) || !tree_settle(work, seconds, err))
                return false;
        return futimens(work, times) == 0 || fail(err, ERR_SYSTEM, errno, "set the time of the configuration layer");
}

// overlayfs wants a scratch directory of its own on the upper's file system.
static bool write_through_overlay(struct config *config, int root, int work, int scratch, const char *kiln_node_path,
                                  struct err *err) {
        auto_close int merged = -1;
        if (!overlay_open(&root, 1, work, scratch, &merged, err))
                return false;
        config->root = merged;
        return write_layer(config, kiln_node_path, err);
}

static bool write_with_scratch(struct config *config, int root, int work, const char *kiln_node_path, struct err *err) {
        auto_close int beside = -1;
        auto_close int scratch = -1;
        auto_free char *name = NULL;
        if (!fs_open_dir(work, "..", &beside, err) || !fs_make_temporary_dir(beside, ".kiln-overlay", &name, err))
                return wrap(err, "configuration layer");
        bool ok = fs_open_dir(beside, name, &scratch, err) &&
                  write_through_overlay(config, root, work, scratch, kiln_node_path, err);
        auto_err ignored = { 0 };
        struct err *removal = ok ? err : &ignored; // the first error is the one to tell
        bool removed = fs_remove_tree(beside, name, removal);
        return ok && removed;
}

bool config_layer_write(const struct cluster *cluster, const struct role *role, int root, const char *build_id,
                        const char *kiln_node_path, int64_t source_date_epoch, int work, struct err *err) {
        struct config config = {
                .cluster = cluster,
                .role = role,
                .source_date_epoch = source_date_epoch,
                .build_id = build_id,
        };
        assert(root >= 0 && work >= 0);
        config.scope = cluster_scope(&config.arena, cluster, role);
        bool ok = overlay_copy_top(work, root, err) || wrap(err, "configuration layer");
        ok = ok && write_with_scratch(&config, root, work, kiln_node_path, err) &&
             settle_layer(work, root, source_date_epoch, err);
        free(config.kept);
        arena_release(&config.arena);
        return ok;
}
