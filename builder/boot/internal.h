// SPDX-License-Identifier: MIT
// What the files of boot/ share: a machine is settled from options (qemu_machine.c), becomes QEMU's argv
// (qemu_arguments.c, qemu_network.c, qemu_cards.c, qemu_option.c) for an accelerator (accelerator.c), and runs as a
// child (process.c).
#ifndef KILN_BOOT_INTERNAL_H
#define KILN_BOOT_INTERNAL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "boot/boot.h"

#define QEMU "qemu-system-x86_64"

enum medium { MEDIUM_PXE, MEDIUM_ISO, MEDIUM_USB };
enum firmware { FIRMWARE_BIOS, FIRMWARE_UEFI };
enum { MAC_SIZE = 18 };

// A checked set of options. Strings are the arena's or the options'.
struct machine {
        struct arena arena;
        const struct boot_options *options;
        const struct node *node;
        const struct role *role;
        enum medium medium;
        enum firmware firmware;
        unsigned memory_mib;
        char mac[MAC_SIZE];
        const char *image;       // ISO; NULL for PXE
        const char *kernel;      // the role's
        const char *accelerator; // "tcg" or "kvm"
        unsigned ssh_port;       // of 127.0.0.1, for --ssh; 0: none
        int variables;           // memfd with the UEFI variables, inherited by QEMU; -1 for BIOS
};

// A growing argv; memory is the arena's but for the list itself.
struct arguments {
        const char **items;
        size_t count;
};
void arguments_add(struct arguments *arguments, const char *argument);
// An option and its value, which is the arena's.
void arguments_printf(struct arguments *arguments, struct arena *arena, const char *option, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void arguments_release(struct arguments *arguments);
// QEMU separates suboptions by commas; one in a value is doubled. The arena's.
const char *quote_commas(struct arena *arena, const char *text);

// Checks all options and that the build holds what they need. The machine is to be released in any case.
must_check bool qemu_machine_settle(const struct boot_options *options, struct machine *ret, struct err *err);
// QEMU's argv, NULL-terminated. `accelerator` is set by then.
must_check bool qemu_machine_arguments(struct machine *machine, struct arguments *ret, struct err *err);
void qemu_machine_release(struct machine *machine);

// One side of a machine's cards: what -netdev is called, and which network of the inventory is there.
struct netdev {
        const char *id;
        const char *kind;              // "user", "tap:IF" or "bridge:NAME"
        const struct network *network; // NULL: none that the inventory knows
        struct in_addr ip;             // the node's there, which QEMU's DHCP hands out; 0: any
        bool boots;                    // DHCP says what to boot, and forwards end here
};
// The value of -netdev. ERR_USAGE for a network that is none of the kinds.
must_check bool network_argument(struct machine *machine, const struct netdev *netdev, const char **ret,
                                 struct err *err);
// All cards of the machine with what they are plugged into: the one with `machine->mac` first, which boots.
must_check bool plug_cards(struct machine *machine, struct arguments *arguments, struct err *err);

// Decides "tcg" or "kvm". A probe takes seconds, so its result is kept for the run.
must_check bool accelerator_choose(const char *wanted, const char *kernel, const char **ret, struct err *err);

// A program that dies with the thread that started it. Descriptors that it keeps are `keep`, and no other.
enum { PROCESS_KEEP_MAX = 8 };
struct process {
        const char *const *argv;
        struct buf *output; // process_run(): gets its standard output and error, and its input is empty
        int output_fd;      // the same for process_start(); -1: `output` or kiln's own
        int dir;            // that it starts in; -1: kiln's own
        int keep[PROCESS_KEEP_MAX];
        size_t keep_count;
        int limit_ms; // process_run(): ends it after so long, with `*ret_timed_out` set; 0: never
};

// Starts it and waits for it, passing on kiln's own end by a signal. With `output`, its status is no error.
must_check bool process_run(const struct process *process, bool *ret_timed_out, struct err *err);
// Starts it; whoever calls waits for it.
must_check bool process_start(const struct process *process, pid_t *ret_pid, struct err *err);

#endif
