// SPDX-License-Identifier: MIT
// Booting a node of the inventory in a virtual machine (QEMU) from published artefacts, to look at a build before it
// goes to a rack. The boot tests use it too.
#ifndef KILN_BOOT_BOOT_H
#define KILN_BOOT_BOOT_H

#include "base/err.h"
#include "profile/profile.h"

// Texts as the user wrote them; NULL takes the default, which is named first.
struct boot_options {
        const struct cluster *cluster;
        const char *node;      // name in the inventory
        const char *artefacts; // directory of a build; never NULL
        const char *medium;    // "pxe", "iso", "usb" (the ISO as a USB stick)
        const char *firmware;  // "bios", "uefi"
        const char *network;   // "user" (QEMU's own, with DHCP, TFTP and the node's address; no root needed), "tap:IF",
                               // "bridge:NAME"
        const char *serial; // "stdio" (Ctrl-A X ends the machine, Ctrl-A C is QEMU's monitor), "unix:PATH", "file:PATH"
        const char *mac;    // the inventory's; without one, 52:54:00 and the last three bytes of the address
        const char *memory; // MiB, "2048"
        const char *accelerator;  // "auto": KVM if it boots the build's own kernel, else TCG; "tcg"; "kvm"
        const char *entry;        // PXE in network "user" only: "node/NAME" or "role/NAME", instead of asking by MAC
        const char *config_drive; // image of a drive that the machine gets beside its medium, read-only; NULL: none
        const char *state_disk;   // image of a disk that keeps what is written; made (sparse) if it is not there
        struct strings cards;     // networks of the node's further cards, in the inventory's order, as `network` is
                                  // said, or "none"; what is not said: as `network`, and none for "tap"
        struct strings forwards;  // network "user" only: "HOST-PORT:GUEST-PORT" (TCP, on 127.0.0.1)
        bool ssh;                 // network "user" only: forward a free port to sshd's, and say the command
        struct strings qemu;      // further words for QEMU, after kiln's own
};

// Blocks until the machine is switched off, by itself, by Ctrl-A X, or by a signal to kiln (ERR_INTERRUPTED). No QEMU
// is left behind, even if kiln is killed. ERR_USAGE for a bad option, ERR_REFERENCE for an unknown node or a build that
// lacks what the medium needs, ERR_TOOL when QEMU or its firmware is missing or fails.
must_check bool boot_node(const struct boot_options *options, struct err *err);

#endif
