// SPDX-License-Identifier: MIT
// Booting a node of the inventory in a virtual machine (QEMU) from published artefacts, to look at a build before it
// goes to a rack. The boot tests use it too.
#ifndef KILN_BOOT_BOOT_H
#define KILN_BOOT_BOOT_H

#include <sys/types.h>

#include "base/err.h"
#include "profile/profile.h"

// A disk that the machine may write to, by an open descriptor.
struct boot_disk {
        int fd;
        const char *serial; // what the machine sees as its serial number
        bool is_scratch;    // nobody has it after this machine: what is flushed to it may stay in memory
};

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
        const char *serial_log;   // file that gets all that comes out of a serial port "unix:PATH"; NULL: none
        const char *control;      // path of a socket for QEMU's machine protocol (QMP); NULL: none
        const char *clock;        // "utc", or the date and time "2026-01-31T12:00:00" that the machine begins with
        unsigned processors;      // 0: two, where this machine has more than one
        unsigned code_mib;        // for what QEMU translates under TCG; 0: as much as it likes, which is up to a GiB
        const struct boot_disk *disks;
        size_t disk_count;
};

// Blocks until the machine is switched off, by itself, by Ctrl-A X, or by a signal to kiln (ERR_INTERRUPTED). No QEMU
// is left behind, even if kiln is killed. ERR_USAGE for a bad option, ERR_REFERENCE for an unknown node or a build that
// lacks what the medium needs, ERR_TOOL when QEMU or its firmware is missing or fails.
must_check bool boot_node(const struct boot_options *options, struct err *err);

// What boot_node() would find wrong before it starts anything: ERR_USAGE, ERR_REFERENCE.
must_check bool boot_node_check(const struct boot_options *options, struct err *err);

// "tcg" or "kvm", as `accelerator` asks and as a probe with the node's kernel finds, which takes seconds: once a run.
must_check bool boot_node_accelerator(const struct boot_options *options, const char **ret, struct err *err);

// Starts the machine and returns; it dies with the thread that has started it. It runs in the directory `dir`, which
// relative paths of `serial`, `serial_log` and `control` start from; what QEMU says goes to `output`. Errors as above.
must_check bool boot_node_start(const struct boot_options *options, int dir, int output, pid_t *ret_pid,
                                struct err *err);

#endif
