// SPDX-License-Identifier: MIT
// A machine of a rack: what it is made of, whether it is on, and how far it is.
#ifndef KILN_RACK_RACK_MACHINE_H
#define KILN_RACK_RACK_MACHINE_H

#include <jansson.h>
#include <net/if.h>
#include <sys/types.h>

#include "base/err.h"
#include "boot/boot.h"
#include "profile/profile.h"
#include "rack/rack_place.h"

enum { RACK_MAC_SIZE = 18, RACK_STAGE_SIZE = 16, RACK_TEXT_SIZE = 256, RACK_CLOCK_SIZE = 24, RACK_CARDS_MAX = 8 };

enum rack_power {
        RACK_OFF,
        RACK_WAITING, // for its turn
        RACK_ON,
};

struct rack_machine {
        const struct node *node;
        const struct role *role;
        unsigned memory_mib;
        enum rack_power power;
        pid_t pid, outside_pid; // in the rack's namespace and outside of it; 0: it is off
        int64_t on_ms;          // when it was switched on, since 1970; 0: never
        int64_t attempt_ms;     // when the boot began that is known of it; 0: none is
        char stage[RACK_STAGE_SIZE];
        int percent; // of the root; -1: not known
        int64_t since_ms;
        char text[RACK_TEXT_SIZE]; // what the stage, or how QEMU has ended
        char tap[IFNAMSIZ];
        char cards[RACK_CARDS_MAX][IFNAMSIZ]; // taps of further ones
        size_t card_count;
        char mac[RACK_MAC_SIZE]; // another one than the inventory's; "": none
        bool has_full_disk, has_slow_cable;
        char clock[RACK_CLOCK_SIZE]; // that it begins with; "": the right one
        int disk;                    // state disk; -1: its role has none
};

// What all machines of a rack share.
struct rack_machines {
        const struct cluster *cluster;
        const char *artefacts, *accelerator; // absolute; "tcg" or "kvm"
        const struct rack_place *place;
        int outside_proc; // /proc of the namespace that the rack was started from
        unsigned processors;
        struct rack_machine *items; // one for each node of the inventory, in its order
        size_t count;
};

// Sets up all of them, off. `memory` and `disks` are virtual_rack_options's. USAGE for a memory that is none.
must_check bool rack_machines_open(struct rack_machines *machines, const struct strings *memory, const char *disks,
                                   struct err *err);
void rack_machines_release(struct rack_machines *machines);

struct rack_machine *rack_machine_find(const struct rack_machines *machines, const char *name); // NULL: none
struct rack_machine *rack_machine_of_pid(const struct rack_machines *machines, pid_t pid);      // NULL: none

// What is wrong with a machine before it is started: the build lacks a file, QEMU refuses an option.
must_check bool rack_machine_check(const struct rack_machines *machines, const struct rack_machine *machine,
                                   struct err *err);
// "tcg" or "kvm" for machines like this one.
must_check bool rack_machine_accelerator(const struct rack_machines *machines, const struct rack_machine *machine,
                                         const char *wanted, const char **ret, struct err *err);

// Plugs its cables into the rack's bridge, if it was never on, and starts QEMU.
must_check bool rack_machine_start(const struct rack_machines *machines, struct rack_machine *machine, struct err *err);
// Power is gone from one moment to the next. Waits until it is.
void rack_machine_cut(struct rack_machine *machine);
// QEMU has ended with this status of waitpid(2).
void rack_machine_ended(struct rack_machine *machine, int status);

// Takes what the watcher knows of it. True if it is further, or elsewhere, than it was.
bool rack_machine_learn(struct rack_machine *machine, const json_t *known);
// On, and neither up nor given up.
bool rack_machine_is_booting(const struct rack_machine *machine, int64_t now_ms);
json_t *rack_machine_json(const struct rack_machine *machine);

int64_t rack_now_ms(void); // since 1970
void rack_format_mac(const unsigned char mac[static 6], char ret[static RACK_MAC_SIZE]);

#endif
