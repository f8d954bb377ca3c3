// SPDX-License-Identifier: MIT
// What boot loaders are told: the entries of a menu, with their kernel command lines, as the scope of the templates in
// firmware/bootloader/. That scope is
//
//     cluster.name, release.name, build.id, label (of the ISO), default (an entry's id), probe (a role that has
//     images), linux, initrd (GRUB's commands), menu (syslinux' is there), serial (false, or { kind: unit or port,
//     port, speed, parity, bits, is_said: by the kernel arguments }), locked ("" or "yes"), boot_menu_password (GRUB's
//     hash, or "": nobody opens the menu), and `entries`, each { id, title, role, node ("" for a role's entry), mac (""
//     or lower case with colons), macs (of all cards of the node), bootif ("" or 01-aa-..), carried (whether the loader
//       brings the root),
//       arguments, grub_arguments (the same, quoted for GRUB's shell) }
#ifndef KILN_ARTEFACT_BOOTLOADER_H
#define KILN_ARTEFACT_BOOTLOADER_H

#include "artefact/artefact.h"
#include "base/buf.h"
#include "shared/template.h"

enum { LABEL_SIZE = 33, MAC_TEXT_SIZE = 18 };

// The volume label of a role's ISO: "KILN_MASTER", at most 32 bytes of A-Z, 0-9 and "_".
void boot_label(const struct role *role, char ret_label[static LABEL_SIZE]);

// "52:54:00:a8:02:47", or with another separator; "" for a node without one.
void boot_mac(const struct node *node, char separator, char ret_text[static MAC_TEXT_SIZE]);

// A scope without entries, with the serial port that the first role says. All memory is the arena's.
struct value *boot_scope(const struct artefact_build *build, struct arena *arena);
// The port of one role instead.
void boot_set_serial(const struct artefact_build *build, const struct role *role, struct arena *arena,
                     struct value *scope);

// Whether the profile wants nobody to change what the role's own menu says, or a menu that leads to several roles.
bool boot_menu_is_locked(const struct role *role);
bool boot_any_menu_is_locked(const struct artefact_build *build);
void boot_lock_menu(const struct artefact_build *build, struct arena *arena, struct value *scope);

#define BOOT_CARRIED "carried" // kiln.root= of a root that came as further initrds

// Adds the entry of a role, or of one node of it. `root` is the value of kiln.root=; `address` adds ip= from the
// inventory; `by_mac` leaves out kiln.node=, because the MAC table in the image finds the node.
struct boot_entry {
        const struct role *role;
        const struct node *node; // NULL: a role's entry
        const char *root;
        bool address, by_mac;
};
const char *boot_add_entry(const struct artefact_build *build, struct arena *arena, struct value *scope,
                           const struct boot_entry *entry); // its id
void boot_clear_entries(struct value *scope);

// A template of firmware/bootloader/, read and split once for all that is rendered from it.
struct boot_template {
        char *path;
        struct buf text;
        struct template *template;
};
must_check bool boot_template_open(const struct artefact_build *build, const char *name, struct boot_template *ret,
                                   struct err *err);
void boot_template_close(struct boot_template *template); // a zeroed one is fine

// Renders to a file, whose directory is there.
must_check bool boot_template_render(const struct boot_template *template, const struct value *scope, int dir,
                                     const char *path, struct err *err);

// All of it for one file; makes its directory.
must_check bool boot_render(const struct artefact_build *build, const char *template_name, const struct value *scope,
                            int dir, const char *path, struct err *err);

// Copies a file of the boot loader packages ("" or NULL: nothing to do).
must_check bool boot_copy(const struct artefact_role *role, const char *from, int dir, const char *to, struct err *err);

// Copies what isolinux and pxelinux load: syslinux' core library, if the release's packages have it (5 and later), and
// the menu, which is shown on the serial port too, as `say` is not. `folder` ends with "/" or is "".
must_check bool boot_copy_syslinux(const struct artefact_build *build, const struct artefact_role *role, int dir,
                                   const char *folder, bool *ret_has_menu, struct err *err);
void boot_set_menu(struct arena *arena, struct value *scope, bool has_menu);

// Whether a GRUB image has the command linuxefi (Red Hat's), which Secure Boot needs; sets `linux` and `initrd`.
// ERR_SCHEMA if the menu has a password and the image lacks the command that asks for one.
must_check bool boot_choose_grub_commands(const struct artefact_role *role, const char *image, struct arena *arena,
                                          struct value *scope, struct err *err);

#endif
