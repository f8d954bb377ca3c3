// SPDX-License-Identifier: MIT
// The PXE tree, complete in itself, so that a TFTP server may have its root at pxe/, at the build or above it, and no
// loader ever needs "..":
//
//     pxe/boot.ipxe                  iPXE: chains mac/<mac>.ipxe, or shows a menu
//     pxe/mac/<mac>.ipxe  pxe/role/<role>.ipxe  pxe/node/<node>.ipxe
//     pxe/pxelinux.0  pxe/pxelinux.cfg/{01-<mac>,default}
//     pxe/grubx64.efi  pxe/grub.cfg  pxe/grub/grub.cfg (the same)  pxe/grub/here.cfg
//     pxe/undionly.kpxe  pxe/ipxe.efi  pxe/shimx64.efi
//     pxe/images/<role>/             hard links to ../<role>/, with kiln.efi for firmware where it is made
//
// The boot loader hands the root over as further initrds (rootfs.head, rootfs.squashfs, rootfs.tail): it needs no
// network driver, address or server once the loader is done. The nodes of a role that keep their root
// (state_disk.root_cache) fetch what they lack of it themselves.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "artefact/bootloader.h"
#include "artefact/file_sums.h"
#include "artefact/initrd/root_archive.h"
#include "artefact/internal.h"
#include "artefact/root_url.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/strings.h"

#define NO_ENTRY "exit"

static bool link_images(const struct artefact_build *build, const struct artefact_role *role, int pxe,
                        struct err *err) {
        static const char *const names[] = { "vmlinuz",         "initrd.img",  "config.cpio",
                                             "rootfs.squashfs", "rootfs.head", "rootfs.tail" };
        size_t count = lengthof(names);
        if (role_fetches_root(role->role))
                count -= 2; // what makes an initrd of the root, which there may be none of
        for (size_t i = 0; i < count; i++) {
                auto_free char *to = xasprintf("images/%s/%s", role->role->name, names[i]);
                if (!fs_mkdirs_for(pxe, to, 0755, err) ||
                    !file_sums_link(build->sums, role->out, names[i], pxe, to, err))
                        return wrap(err, "pxe");
        }
        auto_free char *uki = xasprintf("images/%s/" UKI_NAME, role->role->name);
        if (!fs_exists(role->out, UKI_NAME))
                return true;
        return fs_link_or_copy(role->out, UKI_NAME, pxe, uki, err) || wrap(err, "pxe");
}

static bool copy_loaders(const struct artefact_build *build, int pxe, bool *ret_has_menu, struct err *err) {
        const struct release *release = &build->cluster->release;
        const struct artefact_role *role = &build->roles[0];
        const struct {
                const char *from, *to;
        } files[] = {
                { release->bootloader.pxelinux, "pxelinux.0" }, { release->bootloader.grub_efi_net, "grubx64.efi" },
                { release->bootloader.shim, "shimx64.efi" },    { release->bootloader.ipxe_bios, "undionly.kpxe" },
                { release->bootloader.ipxe_efi, "ipxe.efi" },
        };
        for (size_t i = 0; i < lengthof(files); i++)
                if (!boot_copy(role, files[i].from, pxe, files[i].to, err))
                        return false;
        *ret_has_menu = false;
        return !release->bootloader.pxelinux || boot_copy_syslinux(build, role, pxe, "", ret_has_menu, err);
}

// What a machine gets that no entry names: the role that takes strangers, if there is exactly one; otherwise its next
// boot device.
static const char *default_entry(const struct artefact_build *build, struct arena *arena) {
        const struct role *open = NULL;
        for (size_t i = 0; i < build->role_count; i++) {
                const struct role *role = build->roles[i].role;
                if (!role->strangers)
                        continue;
                if (open)
                        return NO_ENTRY;
                open = role;
        }
        if (!open)
                return NO_ENTRY;
        return arena_printf(arena, "role-%s", open->name);
}

// The value of kiln.root=, of the arena.
static const char *root_place(const struct artefact_build *build, const struct artefact_role *role,
                              struct arena *arena) {
        if (!role_fetches_root(role->role))
                return BOOT_CARRIED;
        assert(build->http_base); // pxe_check() has seen to it
        auto_free char *url = root_url(build, role, build->http_base);
        return arena_strdup(arena, url);
}

// Who starts a node from the menu says which one it is, so its name counts and not its network card.
static void add_node_entries(const struct artefact_build *build, const struct artefact_role *role, struct arena *arena,
                             struct value *scope) {
        const char *root = root_place(build, role, arena);
        for (size_t i = 0; i < role->role->node_count; i++) {
                const struct node *node = &build->cluster->nodes[role->role->nodes[i]];
                boot_add_entry(build, arena, scope, &(struct boot_entry){ role->role, node, root, false, false });
        }
}

static void add_role_entry(const struct artefact_build *build, const struct artefact_role *role, struct arena *arena,
                           struct value *scope) {
        const char *root = root_place(build, role, arena);
        boot_add_entry(build, arena, scope, &(struct boot_entry){ role->role, NULL, root, false, false });
}

static struct value *pxe_scope(const struct artefact_build *build, struct arena *arena) {
        struct value *scope = boot_scope(build, arena);
        if (boot_any_menu_is_locked(build))
                boot_lock_menu(build, arena, scope);
        return scope;
}

static struct value *menu_scope(const struct artefact_build *build, struct arena *arena) {
        struct value *scope = pxe_scope(build, arena);
        for (size_t i = 0; i < build->role_count; i++)
                add_role_entry(build, &build->roles[i], arena, scope);
        for (size_t i = 0; i < build->role_count; i++)
                add_node_entries(build, &build->roles[i], arena, scope);
        value_set(arena, scope, "default", value_scalar(arena, default_entry(build, arena)));
        return scope;
}

// A small file for each node. The folders are filled at the same time: most of the work is the file system's.
static const struct node_file {
        const char *folder, *prefix, *suffix, *template_name;
        bool by_mac; // named after the card, for nodes whose card is known; else after the node
} node_files[] = {
        { "node", "", ".ipxe", "entry.ipxe.tmpl", false },
        { "mac", "", ".ipxe", "entry.ipxe.tmpl", true },
        { "pxelinux.cfg", "01-", "", "pxelinux-mac.tmpl", true },
};

struct folder {
        const struct artefact_build *build;
        const struct node_file *file;
        int pxe;
        struct arena arena;
        struct boot_template template; // split once: an inventory may have thousands of nodes
        struct value *scope;           // with the one entry that is being written
        const char *root;              // kiln.root= of the role that is being written
};

static void choose_entry(struct arena *arena, const struct artefact_build *build, const struct boot_entry *entry,
                         struct value *scope) {
        boot_clear_entries(scope);
        boot_set_serial(build, entry->role, arena, scope);
        const char *id = boot_add_entry(build, arena, scope, entry);
        value_set(arena, scope, "default", value_scalar(arena, id));
}

// `node` may be a copy whose MAC is that of another card of the node.
static bool write_node_file(struct folder *folder, const struct role *role, const struct node *node, struct err *err) {
        const struct node_file *file = folder->file;
        char mac[MAC_TEXT_SIZE];
        boot_mac(node, '-', mac);
        const char *name = node->name;
        if (file->by_mac)
                name = mac;
        auto_free char *path = xasprintf("%s/%s%s%s", file->folder, file->prefix, name, file->suffix);
        choose_entry(&folder->arena, folder->build,
                     &(struct boot_entry){ role, node, folder->root, false, file->by_mac }, folder->scope);
        return boot_template_render(&folder->template, folder->scope, folder->pxe, path, err);
}

// Firmware boots from any card of the machine.
static bool write_files_of_cards(struct folder *folder, const struct role *role, const struct node *node,
                                 struct err *err) {
        size_t count;
        auto_free struct node_mac *macs = node_macs(node, &count);
        for (size_t i = 0; i < count; i++) {
                struct node card = *node;
                memcpy(card.mac, macs[i].bytes, sizeof card.mac);
                card.has_mac = true;
                if (!write_node_file(folder, role, &card, err))
                        return false;
        }
        return true;
}

static bool write_files_of_node(struct folder *folder, const struct role *role, const struct node *node,
                                struct err *err) {
        if (folder->file->by_mac)
                return write_files_of_cards(folder, role, node, err);
        return write_node_file(folder, role, node, err);
}

static bool write_node_files(struct folder *folder, struct err *err) {
        const struct artefact_build *build = folder->build;
        if (!fs_mkdirs(folder->pxe, folder->file->folder, 0755, err) ||
            !boot_template_open(build, folder->file->template_name, &folder->template, err))
                return false;
        folder->scope = pxe_scope(build, &folder->arena);
        for (size_t i = 0; i < build->role_count; i++) {
                const struct role *role = build->roles[i].role;
                folder->root = root_place(build, &build->roles[i], &folder->arena);
                for (size_t j = 0; j < role->node_count; j++)
                        if (!write_files_of_node(folder, role, &build->cluster->nodes[role->nodes[j]], err))
                                return false;
        }
        return true;
}

struct tree {
        const struct artefact_build *build;
        int pxe;
};

static bool make_folder(size_t index, void *context, struct err *err) {
        const struct tree *tree = context;
        struct folder folder = { .build = tree->build, .file = &node_files[index], .pxe = tree->pxe };
        bool ok = write_node_files(&folder, err);
        boot_template_close(&folder.template);
        arena_release(&folder.arena);
        return ok;
}

static bool write_role_menu(const struct artefact_build *build, const struct artefact_role *role, int pxe,
                            struct err *err) {
        struct arena arena = { 0 };
        auto_free char *path = xasprintf("role/%s.ipxe", role->role->name);
        struct value *scope = pxe_scope(build, &arena);
        const char *root = root_place(build, role, &arena);
        choose_entry(&arena, build, &(struct boot_entry){ role->role, NULL, root, false, false }, scope);
        bool ok = link_images(build, role, pxe, err) && boot_render(build, "entry.ipxe.tmpl", scope, pxe, path, err);
        arena_release(&arena);
        return ok;
}

static bool write_menus(const struct artefact_build *build, int pxe, bool has_menu, struct err *err) {
        struct arena arena = { 0 };
        const char *grub = build->cluster->release.bootloader.grub_efi_net;
        struct value *scope = menu_scope(build, &arena);
        boot_set_menu(&arena, scope, has_menu);
        bool ok = boot_render(build, "boot.ipxe.tmpl", scope, pxe, "boot.ipxe", err) &&
                  boot_render(build, "pxelinux-default.tmpl", scope, pxe, "pxelinux.cfg/default", err);
        if (ok && grub)
                ok = boot_choose_grub_commands(&build->roles[0], grub, &arena, scope, err) &&
                     boot_render(build, "pxe-grub.cfg.tmpl", scope, pxe, "grub.cfg", err) &&
                     boot_render(build, "pxe-grub.cfg.tmpl", scope, pxe, "grub/grub.cfg", err) &&
                     boot_render(build, "grub-here.cfg.tmpl", scope, pxe, "grub/here.cfg", err);
        arena_release(&arena);
        return ok;
}

// ---- roots that are too large ----

// An initrd cannot carry the role's root: HTTP and media can, so the rest of the build goes on without PXE for it.
static bool leave_out_role(const struct artefact_build *build, const struct artefact_role *role, struct err *err) {
        auto_free char *why =
            xasprintf("role %s: its packed root has %llu bytes, and an initrd, as PXE hands it over, carries less than "
                      "4 GiB",
                      role->role->name, (unsigned long long)role->root_size_bytes);
        bool is_asked_for = build->only && strings_have(build->only, "pxe");
        if (is_asked_for) {
                fail(err, ERR_CLUSTER, 0, "%s", why);
                return hint(err, "an ISO or USB stick carries it, and so does HTTP (kiln.root=http://...)");
        }
        warning("%s: no PXE files are made for it; an ISO or USB stick carries it, and so does HTTP "
                "(kiln.root=http://...)",
                why);
        return true;
}

static bool choose_carried_roles(const struct artefact_build *build, struct artefact_build *ret, struct err *err) {
        *ret = *build;
        ret->roles = xcalloc(build->role_count + 1, sizeof *ret->roles);
        ret->role_count = 0;
        for (size_t i = 0; i < build->role_count; i++) {
                const struct artefact_role *role = &build->roles[i];
                if (root_archive_holds(role->root_size_bytes) || role_fetches_root(role->role))
                        ret->roles[ret->role_count++] = *role;
                else if (!leave_out_role(build, role, err))
                        return false;
        }
        return true;
}

static bool write_tree(const struct artefact_build *build, struct err *err) {
        auto_close int pxe = -1;
        bool has_menu = false;
        if (build->role_count == 0)
                return true;
        if (!fs_mkdirs(build->out, "pxe", 0755, err) || !fs_open_dir(build->out, "pxe", &pxe, err) ||
            !copy_loaders(build, pxe, &has_menu, err))
                return false;
        for (size_t i = 0; i < build->role_count; i++)
                if (!write_role_menu(build, &build->roles[i], pxe, err))
                        return false;
        return parallel_for(lengthof(node_files), build->jobs, make_folder, &(struct tree){ build, pxe }, err) &&
               write_menus(build, pxe, has_menu, err);
}

static bool pxe_check(const struct artefact_build *build, struct err *err) {
        return root_url_check(build->cluster, build->http_base, err);
}

static bool pxe_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        struct artefact_build carried;
        bool ok = choose_carried_roles(build, &carried, err) && write_tree(&carried, err);
        free(carried.roles);
        return ok;
}

static const char *const needs[] = { "kernel", "squashfs", "initrd", "config", NULL };

static const char *const after[] = { "uki", NULL };

const struct artefact_kind pxe_kind = {
        .name = "pxe",
        .description = "a tree for TFTP and HTTP servers: iPXE, pxelinux, GRUB",
        .needs = needs,
        .after = after,
        .check = pxe_check,
        .write = pxe_write,
};
